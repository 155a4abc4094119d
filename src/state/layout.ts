/**
 * What the threads of one node share. `main` allocates it; every thread gets the same buffer and
 * makes its views.
 *
 *     word   written by       read by
 *     lease  control          packet workers, main
 *     owned  control          packet workers, main
 *     stop   main             packet workers
 *     alive  each its own     control (a thread that stands still ends the heartbeats)
 */
import { bitmapWords } from "./bucket-set.js";
import { COUNTERS_BYTES, Counters } from "./counters.js";
import { LEASE_WORDS } from "./lease-word.js";

const LEASE = 0;
const STOP = LEASE + LEASE_WORDS;
const MAIN_ALIVE = STOP + 1;
const WORKERS_ALIVE = MAIN_ALIVE + 1;

/**
 * Alive marks are milliseconds modulo this, so that they fit an atomic word; see {@link silence}.
 */
const ALIVE_MODULO = 2 ** 30;

/** The plain description that crosses to a thread. */
export interface SharedBuffer {
  readonly buffer: SharedArrayBuffer;
  readonly buckets: number;
  readonly workers: number;
}

const align8 = (bytes: number) => (bytes + 7) & ~7;
const headBytes = (workers: number) => align8((WORKERS_ALIVE + workers) * 4);
const ownedBytes = (buckets: number) => align8(bitmapWords(buckets) * 4);

export function allocateShared(buckets: number, workers: number): SharedBuffer {
  const bytes = headBytes(workers) + ownedBytes(buckets) + workers * align8(COUNTERS_BYTES);
  return { buffer: new SharedArrayBuffer(bytes), buckets, workers };
}

/** The views of one thread on the shared buffer. */
export class SharedState {
  readonly words: Int32Array;
  /** Bitmap of the leased buckets. */
  readonly owned: Int32Array;
  readonly leaseAt = LEASE;
  readonly workers: number;
  private readonly shared: SharedBuffer;

  constructor(shared: SharedBuffer) {
    this.shared = shared;
    this.workers = shared.workers;
    this.words = new Int32Array(shared.buffer, 0, WORKERS_ALIVE + shared.workers);
    const at = headBytes(shared.workers);
    this.owned = new Int32Array(shared.buffer, at, bitmapWords(shared.buckets));
  }

  counters(worker: number): Counters {
    const at = headBytes(this.workers) + ownedBytes(this.shared.buckets);
    return new Counters(this.shared.buffer, at + worker * align8(COUNTERS_BYTES));
  }

  requestStop(): void {
    Atomics.store(this.words, STOP, 1);
  }

  get stopRequested(): boolean {
    return Atomics.load(this.words, STOP) !== 0;
  }

  markWorkerAlive(worker: number, nowMs: number): void {
    Atomics.store(this.words, WORKERS_ALIVE + worker, Math.floor(nowMs % ALIVE_MODULO));
  }

  markMainAlive(nowMs: number): void {
    Atomics.store(this.words, MAIN_ALIVE, Math.floor(nowMs % ALIVE_MODULO));
  }

  workerSilenceMs(worker: number, nowMs: number): number {
    return silence(Atomics.load(this.words, WORKERS_ALIVE + worker), nowMs);
  }

  mainSilenceMs(nowMs: number): number {
    return silence(Atomics.load(this.words, MAIN_ALIVE), nowMs);
  }
}

/** Milliseconds since an alive mark, exact for silences below twelve days. */
function silence(mark: number, nowMs: number): number {
  const now = Math.floor(nowMs % ALIVE_MODULO);
  return (now - mark + ALIVE_MODULO) % ALIVE_MODULO;
}
