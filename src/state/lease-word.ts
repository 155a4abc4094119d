/**
 * The lease as the packet workers see it: one writer (control), many readers, no lock.
 *
 * Milliseconds of boot time do not fit in the 31 bits that an atomic word has to spare, so the time
 * is split in a high and a low word. The writer lowers the low word first: a reader in between sees
 * an expired lease, never one that is too long.
 */
const LOW_BITS = 2 ** 30;

/** Words that a lease takes in an Int32Array. */
export const LEASE_WORDS = 2;

/** Writes the end of the lease: packets may be accepted before `untilMs` (boot time). */
export function writeLease(words: Int32Array, at: number, untilMs: number): void {
  Atomics.store(words, at + 1, 0);
  Atomics.store(words, at, Math.floor(untilMs / LOW_BITS));
  Atomics.store(words, at + 1, Math.floor(untilMs % LOW_BITS));
}

/** Ends the lease at once. */
export function revokeLease(words: Int32Array, at: number): void {
  Atomics.store(words, at + 1, 0);
  Atomics.store(words, at, 0);
}

/** Milliseconds that the lease is still valid, 0 or less when it has expired. */
export function leaseLeft(words: Int32Array, at: number, nowMs: number): number {
  const high = Atomics.load(words, at);
  return high * LOW_BITS + Atomics.load(words, at + 1) - nowMs;
}
