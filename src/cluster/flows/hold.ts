/**
 * Which held replies may leave: those of flows that every awaited peer has acknowledged.
 *
 *      asked ---- frame told ---- all peers have it ---> released
 *                    '----------- holdMs are over -----> released, and who lacks it is cut off
 *
 * Awaited is a peer that has our whole table and is not cut off. A peer that makes us wait the full
 * time is not waited for again until it has all that was told up to then: one sick node costs each
 * of the others one wait, not one for each connection.
 */
import type { Follower } from "../broadcast/follower.js";
import type { Member } from "../membership/view.js";
import { hasFrame } from "./description.js";
import type { FlowEvent, FlowOutput } from "./output.js";
import type { Replicated } from "./record.js";

/** For `status`. */
export interface HoldReport {
  readonly waiting: number;
  /** Peers that are not waited for, and for how long already. */
  readonly cutOff: readonly { readonly node: number; readonly forMs: number }[];
}

export interface HoldParts {
  readonly holdMs: number;
  followers(): readonly Follower[];
  /** Frames sent so far. */
  sent(): number;
  out(output: FlowOutput): void;
}

/** A reply that is held, and its flow as the kernel has it; null: it has none of the cluster. */
export interface Held {
  readonly ticket: number;
  readonly record: Replicated | null;
}

interface Waiting {
  readonly ticket: number;
  readonly frame: number;
  readonly sinceMs: number;
}

interface CutOff extends Member {
  readonly sinceMs: number;
  /** Frames it must have to be awaited again. */
  readonly frames: number;
}

export class Hold {
  readonly counters = { held: 0, heldNone: 0, heldAtOnce: 0, heldDone: 0, heldLate: 0, cutOffs: 0 };
  private waiting: Waiting[] = [];
  private cut: CutOff[] = [];

  constructor(private readonly parts: HoldParts) {}

  /** A reply is held. @param frame the own one that told of its flow; null: no need to wait */
  ask(ticket: number, frame: number | null, now: number): void {
    this.counters.held += 1;
    if (frame === null) this.counters.heldNone += 1;
    else if (this.haveAll(frame)) this.counters.heldAtOnce += 1;
    else {
      this.waiting.push({ ticket, frame, sinceMs: now });
      return;
    }
    this.release([ticket]);
  }

  /** Whether a reply waits, or a peer that is cut off may have caught up. */
  get isUnderWay(): boolean {
    return this.waiting.length > 0 || this.cut.length > 0;
  }

  /** Peers may have acknowledged more, or have gone. */
  settle(): void {
    if (this.waiting.length === 0) return;
    const done = this.waiting.filter(({ frame }) => this.haveAll(frame));
    if (done.length === 0) return;
    this.counters.heldDone += done.length;
    this.letGo(done);
  }

  onTick(now: number): void {
    this.rejoin();
    const late = this.waiting.filter(({ sinceMs }) => now - sinceMs >= this.parts.holdMs);
    if (late.length > 0) {
      for (const peer of this.awaited()) {
        if (late.some(({ frame }) => !hasFrame(peer, frame))) this.cutOff(peer, now);
      }
      this.counters.heldLate += late.length;
      this.letGo(late);
    }
    this.settle();
  }

  /** This node has given everything up: what is held is for the lease to judge. */
  clear(): void {
    this.letGo(this.waiting);
    this.cut = [];
  }

  /** Null where nothing is ever held. */
  report(now: number): HoldReport | null {
    if (this.parts.holdMs === 0) return null;
    const cutOff = this.cut.map(({ node, sinceMs }) => ({ node, forMs: now - sinceMs }));
    return { waiting: this.waiting.length, cutOff };
  }

  private haveAll(frame: number): boolean {
    return this.awaited().every((peer) => hasFrame(peer, frame));
  }

  private awaited(): Follower[] {
    const { cut, parts } = this;
    const isCut = (peer: Member) => cut.some((each) => isSame(each, peer));
    return parts.followers().filter((peer) => peer.acknowledged?.isComplete && !isCut(peer));
  }

  private cutOff({ node, incarnation }: Follower, now: number): void {
    this.counters.cutOffs += 1;
    this.cut.push({ node, incarnation, sinceMs: now, frames: this.parts.sent() });
    this.tell({ name: "cutOff", peer: { node, incarnation } });
  }

  /** Those that are gone are forgotten; those that have caught up are awaited again. */
  private rejoin(): void {
    if (this.cut.length === 0) return;
    const followers = this.parts.followers();
    this.cut = this.cut.filter((each) => {
      const peer = followers.find((follower) => isSame(follower, each));
      if (!peer) return false;
      const { node, incarnation } = peer;
      if (!hasFrame(peer, each.frames - 1)) return true;
      this.tell({ name: "caughtUp", peer: { node, incarnation } });
      return false;
    });
  }

  private letGo(done: readonly Waiting[]): void {
    const left = new Set(done);
    this.waiting = this.waiting.filter((each) => !left.has(each));
    this.release(done.map(({ ticket }) => ticket));
  }

  private release(tickets: readonly number[]): void {
    if (tickets.length > 0) this.parts.out({ kind: "release", tickets });
  }

  private tell(event: FlowEvent): void {
    this.parts.out({ kind: "event", event });
  }
}

function isSame(a: Member, b: Member): boolean {
  return a.node === b.node && a.incarnation === b.incarnation;
}
