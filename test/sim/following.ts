/**
 * How a packet moves a kernel's flow on: as much of nf_conntrack_proto_tcp.c as replicas depend on.
 *
 *      SYN_SENT --answer--> SYN_RECV --data of the client--> ESTABLISHED --close--> ...
 *
 * Without the answer what the client sends is INVALID. What the server sends is ignored, but seen.
 */
import { type Flow, type FlowState, STATUS } from "../../src/cluster/flows/record.js";
import type { Packet } from "./connection.js";

const UDP = 17;

export interface Progress {
  readonly state: FlowState;
  readonly status: number;
  /** Whether an opening was answered (SYN_RECV); the record does not tell. */
  readonly isAnswered: boolean;
  /** Whether the flow's time-out begins anew. */
  readonly isRefreshed: boolean;
}

/** A flow after a packet of it; null: the packet is INVALID. */
export function follow(record: Flow, isAnswered: boolean, packet: Packet): Progress | null {
  const { kind, isReply } = packet;
  const { state } = record;
  const status = record.status | (isReply ? STATUS.SEEN_REPLY : 0);
  const same = { state, status, isAnswered, isRefreshed: true };
  if (record.protocol === UDP) {
    return isReply ? { ...same, status: status | STATUS.ASSURED } : same;
  }
  if (state === "opening" && !isAnswered) {
    if (kind === "answer") return { ...same, isAnswered: true };
    if (kind === "open") return same;
    return kind === "data" && isReply ? { ...same, isRefreshed: false } : null;
  }
  if (kind === "close") return { ...same, state: isReply ? "over" : "closing" };
  const isEstablished = state === "opening" && kind === "data" && !isReply;
  if (!isEstablished) return same;
  return { ...same, state: "established", status: status | STATUS.ASSURED };
}
