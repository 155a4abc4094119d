/**
 * Why a packet was accepted or dropped: the one table behind verdicts, counters, CLI, metrics and
 * manual.
 *
 * Every verdict has exactly one reason, so the sum over the reasons is the number of packets seen.
 * An index is written into shared counters by one thread and read by another: all of them run the
 * same build, so the order is free to change between versions, the names are not.
 */
export type Verdict = "accept" | "drop";

export interface ReasonRow {
  /** Label in counters and output; users' dashboards depend on it. */
  readonly name: string;
  readonly verdict: Verdict;
  /** One line for people. */
  readonly text: string;
}

/**
 * Index of each reason in {@link REASONS}. 0 is an accept, so that dissectors can use it as "ok".
 */
export const enum Reason {
  OWN_FLOW = 0,
  OWN_NEW = 1,
  OWN_PICKUP = 2,
  FOREIGN_FLOW = 3,
  FOREIGN_NEW = 4,
  NO_STATE = 5,
  LEASE_EXPIRED = 6,
  MALFORMED = 7,
  TRUNCATED = 8,
  FRAGMENT = 9,
  UNSUPPORTED = 10,
  NOT_CLUSTER = 11,
  FAULT = 12,
  OWN_KNOWN = 13,
  OWN_EARLY = 14,
}

/** The table, in the order of {@link Reason}. */
export const REASONS = [
  { name: "own-flow", verdict: "accept", text: "belongs to a flow that this node handles" },
  { name: "own-new", verdict: "accept", text: "opens a flow in a bucket of this node" },
  {
    name: "own-pickup",
    verdict: "accept",
    text: "middle of an unknown flow in a bucket of this node, taken over because pickup is on",
  },
  { name: "foreign-flow", verdict: "drop", text: "belongs to a flow that another node handles" },
  {
    name: "foreign-new",
    verdict: "drop",
    text: "of no flow known here, in a bucket of another node",
  },
  {
    name: "no-state",
    verdict: "drop",
    text: "cannot open a flow and belongs to none that is known here",
  },
  { name: "lease-expired", verdict: "drop", text: "this node's lease on its range is over" },
  { name: "malformed", verdict: "drop", text: "header fields contradict each other or the length" },
  {
    name: "truncated",
    verdict: "drop",
    text: "a header lies beyond the copied bytes; dataplane.copyRange is too small for it",
  },
  {
    name: "fragment",
    verdict: "drop",
    text: "an IP fragment that was not reassembled; its ports cannot be known",
  },
  {
    name: "unsupported",
    verdict: "drop",
    text: "neither IPv4 nor IPv6, or too many IPv6 extension headers",
  },
  {
    name: "not-cluster",
    verdict: "drop",
    text: "was queued although its mark does not say cluster traffic",
  },
  {
    name: "fault",
    verdict: "drop",
    text: "judging it failed: a bug of shardwall, contained to this packet",
  },
  {
    name: "own-known",
    verdict: "accept",
    text: "belongs to an established flow of this node; accepted by the kernel, never queued",
  },
  {
    name: "own-early",
    verdict: "accept",
    text: "opens a flow in a bucket of this node, as the early drop told; never queued",
  },
] as const satisfies readonly ReasonRow[];

export const REASON_COUNT = REASONS.length;

/** Whether the reason at `index` lets the packet through. Kept apart from the table: one load. */
const ACCEPTS = Uint8Array.from(REASONS, (row) => (row.verdict === "accept" ? 1 : 0));

/** True for an accepting reason; false for a drop and for any number that is no reason. */
export function accepts(reason: number): boolean {
  return ACCEPTS[reason] === 1;
}
