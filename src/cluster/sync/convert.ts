/**
 * Between the kernel's records (kernel/conntrack) and what is replicated (cluster/flows). The
 * kernel knows more than a replica needs: peers' kernels see every packet and follow a flow by
 * themselves.
 */
import { IPS, PROTOCOL } from "../../kernel/conntrack/constants.js";
import {
  clearFlow,
  clearTuple,
  type FlowRecord,
  PRESENT,
  type SequenceShift,
  type Tuple,
} from "../../kernel/conntrack/record.js";
import {
  isDestinationTranslated,
  isIcmp,
  isSourceTranslated,
} from "../../kernel/conntrack/tuple.js";
import type { MarkField } from "../../state/mark-field.js";
import {
  type Ends,
  type Flow,
  type FlowState,
  inverse,
  timeoutClass,
  timeoutSeconds,
} from "../flows/record.js";
import { endsOf, masterOf, writeEnds } from "./ends.js";

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

/** The same for SCTP (see SCTP_STATES). */
const SCTP_STATE: readonly FlowState[] = [
  "opening", // NONE
  "over", // CLOSED
  "opening", // COOKIE_WAIT
  "opening", // COOKIE_ECHOED
  "established",
  "closing", // SHUTDOWN_SENT
  "closing", // SHUTDOWN_RECD
  "closing", // SHUTDOWN_ACK_SENT
  "opening", // HEARTBEAT_SENT
];

const STATES = new Map([
  [PROTOCOL.TCP as number, TCP_STATE],
  [PROTOCOL.SCTP, SCTP_STATE],
]);

/** The number that a replica in a state is created with; it follows the next packets from there. */
const NUMBERS = new Map<number, Readonly<Record<FlowState, number>>>([
  [PROTOCOL.TCP, { none: 2, opening: 2, established: 3, closing: 5, over: 8 }],
  [PROTOCOL.SCTP, { none: 3, opening: 3, established: 4, closing: 5, over: 1 }],
]);

/** Also "none" where a change says nothing of the state; see flows/partial.ts. */
function stateOf(record: FlowRecord): FlowState {
  if ((record.present & PRESENT.PROTOINFO) === 0) return "none";
  const states = STATES.get(record.original.protocol);
  return states === undefined ? "none" : (states[record.state] ?? "opening");
}

function shiftsOf({ present, shiftOriginal, shiftReply }: FlowRecord): number[] | null {
  if ((present & PRESENT.SEQUENCE) === 0) return null;
  const all = [shiftOriginal, shiftReply].flatMap((shift) => [
    shift.correctionPos,
    shift.offsetBefore,
    shift.offsetAfter,
  ]);
  return all.some((value) => value !== 0) ? all : null;
}

function vtagsOf({ vtagOriginal, vtagReply }: FlowRecord): [number, number] | null {
  return vtagOriginal === 0 && vtagReply === 0 ? null : [vtagOriginal, vtagReply];
}

/** Of most flows the reply is the inverse, and needs no addresses of its own. */
function bothEnds(original: Tuple, reply: Tuple): { original: Ends; reply: Ends } {
  const ends = endsOf(original);
  const isPlain =
    !isIcmp(original) &&
    !isSourceTranslated(original, reply) &&
    !isDestinationTranslated(original, reply);
  return { original: ends, reply: isPlain ? inverse(ends) : endsOf(reply) };
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
    ...bothEnds(original, reply),
    state: stateOf(record),
    status: record.status & (IPS.SEEN_REPLY | IPS.ASSURED),
    mark: (record.mark & ~field.mask) >>> 0,
    master: master.family === 0 ? null : masterOf(master),
    shifts: shiftsOf(record),
    vtags: vtagsOf(record),
  };
}

/** Writes a replicated flow into a kernel record, as it is to be created or changed. */
export function writeRecordOf(flow: Flow, field: MarkField, record: FlowRecord): void {
  clearFlow(record);
  writeEnds(record.original, flow.protocol, flow.original);
  writeEnds(record.reply, flow.protocol, flow.reply);
  if (flow.master !== null) writeEnds(record.master, flow.master.protocol, flow.master);
  record.present = PRESENT.STATUS | PRESENT.TIMEOUT | PRESENT.MARK;
  // Of a flow that was expected the kernel demands this bit in a change, and sets it at a creation.
  record.status = flow.status | (flow.master === null ? 0 : IPS.EXPECTED);
  record.mark = field.with(flow.mark, flow.bucket) >>> 0;
  record.timeoutS = timeoutSeconds(flow.timeoutClass);
  record.zone = flow.zone;
  if (flow.helper !== "") {
    record.present |= PRESENT.HELPER;
    record.helper = flow.helper;
  }
  const numbers = NUMBERS.get(flow.protocol);
  if (numbers !== undefined) {
    record.present |= PRESENT.PROTOINFO;
    record.state = numbers[flow.state];
  }
  if (flow.vtags !== null) [record.vtagOriginal, record.vtagReply] = flow.vtags;
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

/** The master has ended, which the flow that it expected need not care about. */
export function withoutMaster(record: FlowRecord): FlowRecord {
  clearTuple(record.master);
  record.status &= ~IPS.EXPECTED;
  return record;
}

/** This kernel does not have the helper: the flow itself can go on. */
export function withoutHelper(record: FlowRecord): FlowRecord {
  record.helper = "";
  record.present &= ~PRESENT.HELPER;
  return record;
}
