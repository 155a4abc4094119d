/**
 * The peers' tables: which are here, which are on their way, and which are no longer waited for.
 */
import type { Follower } from "../broadcast/broadcast.js";
import { REPAIR_REPEAT_MS, TABLE_PATIENCE_MS } from "../limits.js";
import type { Member } from "../membership/view.js";
import type { FlowEvent } from "./output.js";
import { PeerFlows } from "./peer.js";

interface Known {
  readonly incarnation: bigint;
  readonly flows: PeerFlows;
}

export class Peers {
  private readonly known = new Map<number, Known>();

  constructor(private readonly tell: (event: FlowEvent) => void) {}

  clear(): void {
    this.known.clear();
  }

  /** A peer is there; one of the same incarnation as before goes on where it was. */
  welcome(peer: Member, now: number): void {
    const before = this.known.get(peer.node);
    if (before?.incarnation === peer.incarnation) before.flows.movedMs = now;
    else {
      const { incarnation } = peer;
      this.known.set(peer.node, { incarnation, flows: new PeerFlows(now) });
    }
  }

  /** What is known of a peer that was welcomed. */
  of(peer: Member): PeerFlows {
    return (this.known.get(peer.node) as Known).flows;
  }

  onStart(peer: Member, base: number): void {
    this.of(peer).base = base;
    this.tell({ name: "following", peer: memberOf(peer) });
  }

  onOutOfSync(peer: Member, now: number): void {
    this.of(peer).reset(now);
    this.tell({ name: "outOfSync", peer: memberOf(peer) });
  }

  /** A peer's table has ended; it counts if it is the one that our start was for. */
  onDone(peer: Member, start: number): void {
    const flows = this.of(peer);
    if (flows.isComplete || start !== flows.base) return;
    flows.isComplete = true;
    flows.isStalled = false;
    this.tell({ name: "tableDone", peer: memberOf(peer), flows: flows.arrivedFlows });
  }

  /** Stops to wait for tables that do not move on: one sick peer must not keep a node out. */
  giveUp(followers: readonly Follower[], now: number): void {
    for (const peer of followers) {
      const flows = this.of(peer);
      if (flows.isComplete || flows.isStalled) continue;
      if (now - flows.movedMs < TABLE_PATIENCE_MS) continue;
      flows.isStalled = true;
      this.tell({ name: "tableStalled", peer: memberOf(peer) });
    }
  }

  /** Whether nothing is waited for any more. */
  areSettled(followers: readonly Follower[]): boolean {
    return followers.every((peer) => this.isCaughtUp(peer) || this.of(peer).isStalled);
  }

  /** Whether a peer's flows are here as far as it said to have told them. */
  isCaughtUp(peer: Follower): boolean {
    return this.of(peer).isComplete && peer.stream.isFollowing && peer.stream.lag === 0;
  }

  /** Whether it is time to ask a peer for a repair; if so, the time begins anew. */
  mayAsk(peer: Member, now: number): boolean {
    const flows = this.of(peer);
    if (now - flows.repairMs < REPAIR_REPEAT_MS) return false;
    flows.repairMs = now;
    flows.repairs += 1;
    return true;
  }
}

function memberOf({ node, incarnation }: Member): Member {
  return { node, incarnation };
}
