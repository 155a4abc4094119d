/**
 * Counters of one packet worker in shared memory: one writer, readers that get a consistent copy.
 *
 * A version word is odd while the writer is at work; a reader that meets it tries again. So the sum
 * over the reasons equals the packets seen in every copy.
 */
import { REASON_COUNT } from "./reason.js";

const VERSION = 0;
/** Extra counters behind those of the reasons. */
export const EXTRA = {
  SEEN: REASON_COUNT,
  BATCHES: REASON_COUNT + 1,
  /** times the queue's socket buffer overflowed */
  OVERRUNS: REASON_COUNT + 2,
  /** verdicts the kernel refused */
  VERDICT_ERRORS: REASON_COUNT + 3,
  /** kernel messages that held no packet */
  UNREADABLE: REASON_COUNT + 4,
  /** replies that are held now; let through for want of room; for want of an answer */
  HELD: REASON_COUNT + 5,
  HOLD_OVERFLOW: REASON_COUNT + 6,
  HOLD_LATE: REASON_COUNT + 7,
  /** flows still in use that had to make room in the mirror */
  EVICTED: REASON_COUNT + 8,
  /** packets accepted although the lease was over: has to stay 0 */
  UNLEASED: REASON_COUNT + 9,
} as const;
const COUNT = REASON_COUNT + 10;
const VALUES_AT = 8;

/** Bytes that the counters of one worker take. */
export const COUNTERS_BYTES = VALUES_AT + COUNT * 8;

/**
 * Tries of a reader before it takes what is there; a batch is settled in far less time than that.
 */
const TRIES_MAX = 10_000;

export class Counters {
  private readonly version: Int32Array;
  private readonly values: Float64Array;

  constructor(buffer: SharedArrayBuffer, offsetBytes: number) {
    this.version = new Int32Array(buffer, offsetBytes, 1);
    this.values = new Float64Array(buffer, offsetBytes + VALUES_AT, COUNT);
  }

  /** Writer: begins a change that readers see as one. */
  begin(): void {
    Atomics.add(this.version, VERSION, 1);
  }

  add(counter: number, amount: number): void {
    this.values[counter] = (this.values[counter] as number) + amount;
  }

  set(counter: number, value: number): void {
    this.values[counter] = value;
  }

  /** Losses and refusals of a capture, which counts them by itself. */
  setLosses(losses: { overruns: number; verdictErrors: number; unreadable: number }): void {
    this.set(EXTRA.OVERRUNS, losses.overruns);
    this.set(EXTRA.VERDICT_ERRORS, losses.verdictErrors);
    this.set(EXTRA.UNREADABLE, losses.unreadable);
  }

  end(): void {
    Atomics.add(this.version, VERSION, 1);
  }

  /** Writer: a predecessor may have been killed inside a change. Makes the version even again. */
  recover(): void {
    if ((Atomics.load(this.version, VERSION) & 1) === 1) Atomics.add(this.version, VERSION, 1);
  }

  /** Reader: a copy of all counters, indexed by reason and {@link EXTRA}. */
  read(): Float64Array {
    const copy = new Float64Array(COUNT);
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const before = Atomics.load(this.version, VERSION);
      copy.set(this.values);
      if ((before & 1) === 0 && Atomics.load(this.version, VERSION) === before) break;
    }
    return copy;
  }
}
