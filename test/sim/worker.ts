/**
 * A packet worker without its queue: the loop of packet/worker.ts for packets that are already
 * dissected. The lease word and `decide` are the program's own.
 */
import { decide, flowOf, NO_BUCKET } from "../../src/packet/decide/decide.js";
import { Status } from "../../src/packet/dissect/bytes.js";
import { Kind } from "../../src/packet/dissect/packet.js";
import type { SharedState } from "../../src/state/layout.js";
import { leaseLeft } from "../../src/state/lease-word.js";
import { accepts, REASON_COUNT, Reason } from "../../src/state/reason.js";
import type { Packet } from "./connection.js";

/** Whether a packet may be the first of a flow: any of UDP may. */
function kindOf({ connection, kind }: Packet): number {
  return kind === "open" || connection.isUdp ? Kind.OPENS : Kind.FOLLOWS;
}

export class Worker {
  seen = 0;
  /** Packets that wait in the queue. */
  queued = 0;
  readonly byReason = new Uint32Array(REASON_COUNT);

  constructor(private readonly state: SharedState) {}

  /**
   * Judges a packet.
   * @param known bucket in the connection mark, or NO_BUCKET
   * @param hashed bucket that the packet's own tuple names
   * @returns the bucket it is accepted for, or NO_BUCKET
   */
  judge(packet: Packet, known: number, hashed: number, localMs: number): number {
    const { words, leaseAt, owned } = this.state;
    const isLeased = leaseLeft(words, leaseAt, localMs) > 0;
    const bucket = known === NO_BUCKET ? hashed : known;
    const kind = kindOf(packet);
    const judged = decide(isLeased, Status.OK, kind, flowOf(known, owned), bucket, owned, 0);
    const reason = leaseLeft(words, leaseAt, localMs) > 0 ? judged : Reason.LEASE_EXPIRED;
    this.seen += 1;
    this.byReason[reason] += 1;
    return accepts(reason) ? bucket : NO_BUCKET;
  }
}
