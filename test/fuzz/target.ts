/** What is fuzzed: bytes in, a number that names what they did, or a violation. */

/** An input did what none may do. Any other error that a target lets through counts alike. */
export class Violation extends Error {}

export interface Target {
  readonly name: string;
  /**
   * Where the input lies when it is tried, its first bytes; shared memory, so that a watchdog can
   * read it out of a thread that hangs. Its length is the longest input.
   */
  readonly input: Uint8Array;
  /** Inputs after which all state is made anew; a finding is replayed from there. */
  readonly episode: number;
  /** Well-formed inputs to begin with. The same each time. */
  seeds(): readonly Uint8Array[];
  /** Makes all state anew. */
  reset(): void;
  /**
   * Tries the first `length` bytes of `input`, and leaves them as they are.
   * @returns a uint32 that tells behaviours apart: an input that shows a new one is kept, and
   *   mutated further
   * @throws Violation, or whatever the program throws
   */
  run(length: number): number | Promise<number>;
  close?(): Promise<void>;
}

/** Room for inputs of up to `bytes`. */
export function newInput(bytes: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(bytes));
}

export function check(holds: boolean, what: string): void {
  if (!holds) throw new Violation(what);
}

/** A number that tells short lists of small numbers apart. */
export function behaviour(...parts: readonly number[]): number {
  let mixed = 0x811c9dc5;
  for (const part of parts) mixed = Math.imul(mixed ^ part, 0x01000193);
  return mixed >>> 0;
}
