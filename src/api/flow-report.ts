/** The JSON of one flow: a line of what `GET /v1/flows` answers. */
import type { FlowDescription } from "../cluster/flows/description.js";
import { communityId } from "../kernel/conntrack/community-id.js";
import { IPS, PROTOCOL, SCTP_STATES, TCP_STATES } from "../kernel/conntrack/constants.js";
import type { FlowRecord, Tuple } from "../kernel/conntrack/record.js";
import { addressText, isIcmp } from "../kernel/conntrack/tuple.js";

/** A direction of a flow; ports or the three of ICMP, as the protocol has them. */
export interface TupleReport {
  readonly src: string;
  readonly dst: string;
  readonly sport?: number;
  readonly dport?: number;
  readonly type?: number;
  readonly code?: number;
  readonly id?: number;
}

export interface FlowReport {
  readonly family: 4 | 6;
  /** Name as conntrack(8) has it, `unknown` for what it has no name for. */
  readonly protocol: string;
  /** IANA number. */
  readonly protocolNumber: number;
  /** Seconds until the kernel forgets the flow. */
  readonly timeout: number;
  /** Null for protocols without states. */
  readonly state: string | null;
  readonly original: TupleReport;
  readonly reply: TupleReport;
  readonly replied: boolean;
  readonly assured: boolean;
  readonly mark: number;
  readonly zone: number;
  readonly helper: string | null;
  /** Null where the flow has not been given one yet. */
  readonly bucket: number | null;
  /** Node that owns the bucket, as far as this node knows; null: nobody. */
  readonly owner: number | null;
  readonly communityId: string;
  /** What replication knows of it; null: nothing, such as of a flow that the filters leave out. */
  readonly replication: FlowDescription | null;
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [PROTOCOL.ICMP, "icmp"],
  [PROTOCOL.TCP, "tcp"],
  [PROTOCOL.UDP, "udp"],
  [PROTOCOL.DCCP, "dccp"],
  [47, "gre"],
  [50, "esp"],
  [51, "ah"],
  [PROTOCOL.ICMPV6, "icmpv6"],
  [PROTOCOL.SCTP, "sctp"],
  [PROTOCOL.UDPLITE, "udplite"],
]);

export function flowReport(
  flow: FlowRecord,
  bucket: number | null,
  owner: number | null,
): FlowReport {
  const { original, reply, status, mark, zone } = flow;
  return {
    family: original.family as 4 | 6,
    protocol: NAMES.get(original.protocol) ?? "unknown",
    protocolNumber: original.protocol,
    timeout: flow.timeoutS,
    state: stateOf(flow),
    original: tupleReport(original),
    reply: tupleReport(reply),
    replied: (status & IPS.SEEN_REPLY) !== 0,
    assured: (status & IPS.ASSURED) !== 0,
    mark,
    zone,
    helper: flow.helper === "" ? null : flow.helper,
    bucket,
    owner,
    communityId: communityId(original),
    replication: null,
  };
}

/** The same with what replication knows. */
export function withReplication(
  report: FlowReport,
  replication: FlowDescription | null,
): FlowReport {
  return { ...report, replication };
}

function stateOf({ original, state }: FlowRecord): string | null {
  if (original.protocol === PROTOCOL.TCP) return TCP_STATES[state] ?? `STATE_${state}`;
  if (original.protocol === PROTOCOL.SCTP) return SCTP_STATES[state] ?? `STATE_${state}`;
  return null;
}

function tupleReport(tuple: Tuple): TupleReport {
  const src = addressText(tuple.src, tuple.family);
  const dst = addressText(tuple.dst, tuple.family);
  if (isIcmp(tuple)) {
    return { src, dst, type: tuple.icmpType, code: tuple.icmpCode, id: tuple.icmpId };
  }
  return { src, dst, sport: tuple.srcPort, dport: tuple.dstPort };
}
