/**
 * A flow and an expectation as the kernel tells them. Decoders fill records that exist already, so
 * that most events, which are of no interest to anybody, leave no garbage. Who keeps a record
 * beyond the call that shows it copies it.
 */

/** One direction of a flow. Absent parts are 0. */
export interface Tuple {
  /** 4 or 6; 0: there is no tuple. */
  family: number;
  /** 16 bytes; an IPv4 address is in the first four. */
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  /** IANA protocol number. */
  protocol: number;
  srcPort: number;
  dstPort: number;
  icmpId: number;
  icmpType: number;
  icmpCode: number;
  /** Zone of this direction alone. */
  zone: number;
}

/** Shift of the sequence numbers that a helper caused by rewriting payload, in one direction. */
export interface SequenceShift {
  correctionPos: number;
  offsetBefore: number;
  offsetAfter: number;
}

/** Parts of a record that the message held; the others have the value of an empty record. */
export const PRESENT = {
  STATUS: 1,
  TIMEOUT: 2,
  MARK: 4,
  PROTOINFO: 8,
  HELPER: 16,
  SEQUENCE: 32,
} as const;

export interface FlowRecord {
  /** Bits of {@link PRESENT}. */
  present: number;
  readonly original: Tuple;
  readonly reply: Tuple;
  /** Tuple of the flow that this one was expected by; family 0 for most. */
  readonly master: Tuple;
  /** Bits of IPS. */
  status: number;
  /** Unsigned connection mark. */
  mark: number;
  /** Seconds until the kernel forgets the flow. */
  timeoutS: number;
  zone: number;
  /** Kernel's name of the helper, such as `ftp`; empty without. */
  helper: string;
  /** Changes when the same tuple comes again as another flow. */
  id: number;
  use: number;
  /** State of TCP, SCTP or DCCP by the kernel's number. */
  state: number;
  /** Bits of TCP_FLAG. */
  flagsOriginal: number;
  flagsReply: number;
  wscaleOriginal: number;
  wscaleReply: number;
  /** SCTP verification tags. */
  vtagOriginal: number;
  vtagReply: number;
  readonly shiftOriginal: SequenceShift;
  readonly shiftReply: SequenceShift;
}

export interface ExpectationRecord {
  readonly master: Tuple;
  readonly tuple: Tuple;
  readonly mask: Tuple;
  timeoutS: number;
  id: number;
  helper: string;
  zone: number;
  flags: number;
  class: number;
  /** Direction of {@link natTuple}, meant only where that has a family. */
  natDirection: number;
  readonly natTuple: Tuple;
  /** Name of the helper function that prepares the expected flow; empty without. */
  fn: string;
}

const TUPLE_ZERO = {
  family: 0,
  protocol: 0,
  srcPort: 0,
  dstPort: 0,
  icmpId: 0,
  icmpType: 0,
  icmpCode: 0,
  zone: 0,
};
const SHIFT_ZERO = { correctionPos: 0, offsetBefore: 0, offsetAfter: 0 };
const FLOW_ZERO = {
  present: 0,
  status: 0,
  mark: 0,
  timeoutS: 0,
  zone: 0,
  helper: "",
  id: 0,
  use: 0,
  state: 0,
  flagsOriginal: 0,
  flagsReply: 0,
  wscaleOriginal: 0,
  wscaleReply: 0,
  vtagOriginal: 0,
  vtagReply: 0,
};
const EXPECTATION_ZERO = {
  timeoutS: 0,
  id: 0,
  helper: "",
  zone: 0,
  flags: 0,
  class: 0,
  natDirection: 0,
  fn: "",
};

export function newTuple(): Tuple {
  return { ...TUPLE_ZERO, src: new Uint8Array(16), dst: new Uint8Array(16) };
}

export function newFlow(): FlowRecord {
  const tuples = { original: newTuple(), reply: newTuple(), master: newTuple() };
  return {
    ...FLOW_ZERO,
    ...tuples,
    shiftOriginal: { ...SHIFT_ZERO },
    shiftReply: { ...SHIFT_ZERO },
  };
}

export function newExpectation(): ExpectationRecord {
  const tuples = { master: newTuple(), tuple: newTuple(), mask: newTuple(), natTuple: newTuple() };
  return { ...EXPECTATION_ZERO, ...tuples };
}

export function clearTuple(tuple: Tuple): void {
  Object.assign(tuple, TUPLE_ZERO);
  tuple.src.fill(0);
  tuple.dst.fill(0);
}

/** Makes a record what a new one is. */
export function clearFlow(flow: FlowRecord): void {
  Object.assign(flow, FLOW_ZERO);
  clearTuple(flow.original);
  clearTuple(flow.reply);
  clearTuple(flow.master);
  Object.assign(flow.shiftOriginal, SHIFT_ZERO);
  Object.assign(flow.shiftReply, SHIFT_ZERO);
}

export function clearExpectation(record: ExpectationRecord): void {
  Object.assign(record, EXPECTATION_ZERO);
  for (const tuple of [record.master, record.tuple, record.mask, record.natTuple]) {
    clearTuple(tuple);
  }
}

/** A record of its own with the same content. */
export function copyTuple(tuple: Tuple): Tuple {
  return { ...tuple, src: tuple.src.slice(), dst: tuple.dst.slice() };
}

export function copyFlow(flow: FlowRecord): FlowRecord {
  return {
    ...flow,
    original: copyTuple(flow.original),
    reply: copyTuple(flow.reply),
    master: copyTuple(flow.master),
    shiftOriginal: { ...flow.shiftOriginal },
    shiftReply: { ...flow.shiftReply },
  };
}

export function copyExpectation(record: ExpectationRecord): ExpectationRecord {
  const { master, tuple, mask, natTuple } = record;
  return {
    ...record,
    master: copyTuple(master),
    tuple: copyTuple(tuple),
    mask: copyTuple(mask),
    natTuple: copyTuple(natTuple),
  };
}
