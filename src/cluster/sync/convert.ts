/**
 * Between the kernel's records (kernel/conntrack) and what is replicated (cluster/flows). The
 * kernel knows more than a replica needs: peers' kernels see every packet and follow a flow by
 * themselves.
 */
import { IPS, PROTOCOL } from "../../kernel/conntrack/constants.js";
import {
  clearFlow,
  type FlowRecord,
  PRESENT,
  type SequenceShift,
  type Tuple,
} from "../../kernel/conntrack/record.js";
import type { MarkField } from "../../state/mark-field.js";
import {
  type Ends,
  type Flow,
  type FlowState,
  type Master,
  timeoutClass,
  timeoutSeconds,
} from "../flows/record.js";

/** State of a TCP flow by the kernel's number (see TCP_STATES). */
const TCP_STATE: readonly FlowState[] = [
  "opening", // NONE
  "opening", // SYN_SENT
  "opening", // SYN_RECV
  "established",
  "closing", // FIN_WAIT
  "closing", // CLOSE_WAIT
  "closing", // LAST_ACK
  "over", // TIME_WAIT
  "over", // CLOSE
  "opening", // SYN_SENT2
];

/** The number that a replica in a state is created with; it follows the next packets from there. */
const TCP_NUMBER: Readonly<Record<FlowState, number>> = {
  none: 0,
  opening: 2,
  established: 3,
  closing: 5,
  over: 8,
};

const isIcmp = (protocol: number) => protocol === PROTOCOL.ICMP || protocol === PROTOCOL.ICMPV6;

function endsOf(tuple: Tuple): Ends {
  const bytes = tuple.family === 4 ? 4 : 16;
  const icmp = isIcmp(tuple.protocol);
  return {
    src: tuple.src.slice(0, bytes),
    dst: tuple.dst.slice(0, bytes),
    srcPort: icmp ? tuple.icmpId : tuple.srcPort,
    dstPort: icmp ? (tuple.icmpType << 8) | tuple.icmpCode : tuple.dstPort,
  };
}

function writeEnds(tuple: Tuple, protocol: number, ends: Ends): void {
  tuple.family = ends.src.length === 4 ? 4 : 6;
  tuple.protocol = protocol;
  tuple.src.fill(0).set(ends.src);
  tuple.dst.fill(0).set(ends.dst);
  if (isIcmp(protocol)) {
    tuple.icmpId = ends.srcPort;
    tuple.icmpType = ends.dstPort >> 8;
    tuple.icmpCode = ends.dstPort & 0xff;
  } else {
    tuple.srcPort = ends.srcPort;
    tuple.dstPort = ends.dstPort;
  }
}

function stateOf(record: FlowRecord): FlowState {
  if (record.original.protocol !== PROTOCOL.TCP) return "none";
  return TCP_STATE[record.state] ?? "opening";
}

function shiftsOf({ shiftOriginal, shiftReply }: FlowRecord): number[] | null {
  const all = [shiftOriginal, shiftReply].flatMap((shift) => [
    shift.correctionPos,
    shift.offsetBefore,
    shift.offsetAfter,
  ]);
  return all.some((value) => value !== 0) ? all : null;
}

/** The flow in a kernel record, or null if its mark names no bucket: it is not the cluster's. */
export function flowOf(record: FlowRecord, field: MarkField): Flow | null {
  const bucket = field.bucketOf(record.mark);
  if (bucket < 0) return null;
  const { original, reply, master } = record;
  return {
    kind: "flow",
    protocol: original.protocol,
    bucket,
    zone: record.zone,
    timeoutClass: timeoutClass(record.timeoutS),
    helper: record.helper,
    original: endsOf(original),
    reply: endsOf(reply),
    state: stateOf(record),
    status: record.status & (IPS.SEEN_REPLY | IPS.ASSURED),
    mark: (record.mark & ~field.mask) >>> 0,
    master: master.family === 0 ? null : masterOf(master),
    shifts: shiftsOf(record),
  };
}

function masterOf(tuple: Tuple): Master {
  return { ...endsOf(tuple), protocol: tuple.protocol };
}

/** Writes a replicated flow into a kernel record, as it is to be created or changed. */
export function writeRecordOf(flow: Flow, field: MarkField, record: FlowRecord): void {
  clearFlow(record);
  writeEnds(record.original, flow.protocol, flow.original);
  writeEnds(record.reply, flow.protocol, flow.reply);
  if (flow.master !== null) writeEnds(record.master, flow.master.protocol, flow.master);
  record.present = PRESENT.STATUS | PRESENT.TIMEOUT | PRESENT.MARK;
  record.status = flow.status;
  record.mark = field.with(flow.mark, flow.bucket) >>> 0;
  record.timeoutS = timeoutSeconds(flow.timeoutClass);
  record.zone = flow.zone;
  if (flow.helper !== "") {
    record.present |= PRESENT.HELPER;
    record.helper = flow.helper;
  }
  if (flow.protocol === PROTOCOL.TCP) {
    record.present |= PRESENT.PROTOINFO;
    record.state = TCP_NUMBER[flow.state];
  }
  if (flow.shifts !== null) {
    record.present |= PRESENT.SEQUENCE;
    writeShift(record.shiftOriginal, flow.shifts, 0);
    writeShift(record.shiftReply, flow.shifts, 3);
  }
}

function writeShift(shift: SequenceShift, from: readonly number[], at: number): void {
  shift.correctionPos = from[at] as number;
  shift.offsetBefore = from[at + 1] as number;
  shift.offsetAfter = from[at + 2] as number;
}
