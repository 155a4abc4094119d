/** What the streams of peers bring, in their order: ops for the replica, and news of the tables. */
import type { Follower, Upper } from "../broadcast/broadcast.js";
import type { Ledger } from "./ledger.js";
import { type Op, readOps } from "./ops.js";
import type { FlowEvent } from "./output.js";
import type { Peers } from "./peers.js";
import type { Replica } from "./replica.js";

export interface ReceiverParts {
  readonly buckets: number;
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly replica: Replica;
  tell(event: FlowEvent): void;
}

export class Receiver implements Upper {
  malformed = 0;

  constructor(private readonly parts: ReceiverParts) {}

  /** The next payload of a peer, in order. */
  deliver(peer: Follower, payload: Uint8Array, now: number): void {
    const ops = readOps(payload, this.parts.buckets);
    if (!ops) {
      this.malformed += 1; // what it said is found missing by the digests
      return;
    }
    for (const op of ops) this.onOp(peer, op, now);
  }

  onStart(peer: Follower, base: number): void {
    this.parts.peers.onStart(peer, base);
  }

  onOutOfSync(peer: Follower, now: number): void {
    this.parts.ledger.distrust(peer.node);
    this.parts.peers.onOutOfSync(peer, now);
  }

  private onOp(peer: Follower, op: Op, now: number): void {
    const { peers, replica, tell } = this.parts;
    const flows = peers.of(peer);
    if (!flows.isComplete) flows.movedMs = now;
    if (op.op === "done") peers.onDone(peer, op.start);
    else if (op.op === "table" && op.start === flows.base) flows.tableFlows = op.flows;
    else if (replica.onOp(peer, flows, op, now) && op.op === "digest") {
      const { node, incarnation } = peer;
      tell({ name: "drift", peer: { node, incarnation }, bucket: op.bucket });
    }
  }
}
