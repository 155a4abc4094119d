/** The one clock of the data path and the protocols. */
import { native } from "./native.js";

/**
 * Milliseconds of CLOCK_BOOTTIME, with fraction. It never goes back and it goes on while the
 * machine sleeps, so that a node which wakes up finds its lease expired.
 */
export const bootMs: () => number = native.now;

/** Wall-clock time as people read it, ISO 8601 in UTC; nothing is decided by it. */
export function wallTime(): string {
  return new Date().toISOString();
}
