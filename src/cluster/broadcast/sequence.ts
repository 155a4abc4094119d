/**
 * Sequence numbers of 32 bits that go around (RFC 1982). Two numbers that are compared are never
 * 2^31 or more apart: a receiver that far behind would have been out of sync long before.
 */

/** `sequence` moved on by `by`, which may be negative. */
export function advance(sequence: number, by = 1): number {
  return (sequence + by) >>> 0;
}

/** Steps from `from` to `to`; negative when `to` is the older one. */
export function distance(from: number, to: number): number {
  return (to - from) | 0;
}
