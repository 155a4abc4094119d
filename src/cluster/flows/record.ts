/**
 * What is replicated: flows and expectations, as values that are never changed in place. They hold
 * what a peer's kernel needs to go on with the flow, and nothing that changes with each packet.
 */

/** Both ends of one direction; IPv4 addresses are 4 bytes, IPv6 addresses 16. */
export interface Ends {
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  /** The ICMP id, for ICMP. */
  readonly srcPort: number;
  /** ICMP type << 8 | code, for ICMP. */
  readonly dstPort: number;
}

/**
 * How far a connection has come. Peers' kernels follow it by themselves, so the finer states are
 * not told. `over`: both sides are done (TIME_WAIT, CLOSE), though the kernel remembers the flow
 * longer. `none`: the protocol has no states, or none was told yet.
 */
export const FLOW_STATES = ["none", "opening", "established", "closing", "over"] as const;
export type FlowState = (typeof FLOW_STATES)[number];

/** Bits of a flow's status that matter here, as in nf_conntrack_common.h. */
export const STATUS = { SEEN_REPLY: 0x2, ASSURED: 0x4 } as const;

interface Common {
  /** IANA protocol number of the tuple. */
  readonly protocol: number;
  readonly bucket: number;
  readonly zone: number;
  /** See `timeoutClass`. */
  readonly timeoutClass: number;
  /** Kernel's name of the helper; empty without. */
  readonly helper: string;
}

/** The flow that this one was expected by, or that expects. */
export interface Master extends Ends {
  readonly protocol: number;
}

export interface Flow extends Common {
  readonly kind: "flow";
  readonly original: Ends;
  readonly reply: Ends;
  readonly state: FlowState;
  readonly status: number;
  /** Connection mark without the bits of the bucket. */
  readonly mark: number;
  readonly master: Master | null;
  /** Shift of sequence numbers: position, before, after of the original direction, then reply's. */
  readonly shifts: readonly number[] | null;
  /** SCTP verification tags of the original direction and of the reply's. */
  readonly vtags: readonly [number, number] | null;
}

export interface Expectation extends Common {
  readonly kind: "expectation";
  readonly original: Ends;
  readonly mask: Ends;
  readonly master: Master;
  readonly flags: number;
  readonly class: number;
  /** Kernel's name of the function that prepares the expected flow; empty without. */
  readonly fn: string;
  readonly nat: (Ends & { readonly direction: number }) | null;
}

export type Replicated = Flow | Expectation;

const CLASSES_PER_DOUBLING = 4;

/** A time-out in one octet: the class whose length is at least `seconds`, 19 % apart. */
export function timeoutClass(seconds: number): number {
  return Math.min(255, Math.ceil(CLASSES_PER_DOUBLING * Math.log2(seconds + 1) - 1e-9));
}

/** Seconds of a class of time-outs. */
export function timeoutSeconds(timeoutClass: number): number {
  return Math.min(0xffff_ffff, Math.round(2 ** (timeoutClass / CLASSES_PER_DOUBLING)) - 1);
}

/** The direction back, where nothing is translated. */
export function inverse({ src, dst, srcPort, dstPort }: Ends): Ends {
  return { src: dst, dst: src, srcPort: dstPort, dstPort: srcPort };
}

/** Whether `b` is the direction back of `a`, with nothing translated. */
export function isInverse(a: Ends, b: Ends): boolean {
  if (a.srcPort !== b.dstPort || a.dstPort !== b.srcPort) return false;
  return isSameAddress(a.src, b.dst) && isSameAddress(a.dst, b.src);
}

function isSameEnds(a: Ends, b: Ends): boolean {
  if (a.srcPort !== b.srcPort || a.dstPort !== b.dstPort) return false;
  return isSameAddress(a.src, b.src) && isSameAddress(a.dst, b.dst);
}

/** Whether two records of one key are translated alike. A kernel never changes that of a flow. */
export function isTranslatedAlike(a: Replicated, b: Replicated): boolean {
  return a.kind !== "flow" || b.kind !== "flow" || isSameEnds(a.reply, b.reply);
}

function isSameAddress(a: Uint8Array, b: Uint8Array): boolean {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return a.length === b.length;
}

/** Order in which records make room when a table is full; `kept` never does. */
export const RANKS = ["unreplied", "replied", "kept"] as const;
export type Rank = (typeof RANKS)[number];

export function isBelow(a: Rank, b: Rank): boolean {
  return RANKS.indexOf(a) < RANKS.indexOf(b);
}

export function rankOf(record: Replicated): Rank {
  if (record.kind === "expectation") return "unreplied";
  if ((record.status & STATUS.ASSURED) !== 0) return "kept";
  return (record.status & STATUS.SEEN_REPLY) !== 0 ? "replied" : "unreplied";
}

/**
 * Whether a record must reach the peers before the next packets do: what a helper expects follows
 * within a round trip, and its first packet falls into the bucket of its master only where both are
 * known.
 */
export function isUrgent(record: Replicated): boolean {
  return record.kind === "expectation" || record.master !== null;
}

/**
 * Whether a kernel that has `ours` waits for an answer that, as `told` says, another node has let
 * through: the answer is not repeated, and without it whatever follows is INVALID.
 */
export function lacksAnswer(ours: Replicated, told: Replicated): boolean {
  if (ours.kind !== "flow" || told.kind !== "flow" || !isTranslatedAlike(ours, told)) return false;
  if (ours.state !== "opening") return false;
  return told.state === "established" || isBelow(rankOf(ours), rankOf(told));
}

/** Whether a connection has ended, although the kernel still remembers it. */
export function isOver(record: Replicated): boolean {
  return record.kind === "flow" && record.state === "over";
}
