/**
 * Claimed buckets that are not leased yet, because their flows are not in the kernel
 * (`sync.replicas: cold`). Only what nobody else serves is claimed before: a dead node's buckets.
 *
 *      claim ---- flows are put into the kernel ---- usable: lease
 *        '--------------- INSTALL_PATIENCE_MS ------------- at the latest
 */
import { INSTALL_PATIENCE_MS } from "../limits.js";
import { addBucket, type Bitmap, bucketsOf, emptyBitmap, hasBucket, removeAll } from "./bitmap.js";

/** Of the buckets that waited since there was none before. */
export interface Wait {
  readonly waitedMs: number;
  /** How many were leased without their flows. */
  readonly late: number;
}

export class Waiting {
  /** Buckets that were leased without their flows, ever. */
  lateTotal = 0;
  private readonly sinceMs = new Map<number, number>();
  private readonly set: Bitmap;
  private firstMs = 0;
  private late = 0;

  constructor(buckets: number) {
    this.set = emptyBitmap(buckets);
  }

  get count(): number {
    return this.sinceMs.size;
  }

  get buckets(): Bitmap {
    return this.set;
  }

  add(buckets: Iterable<number>, now: number): void {
    for (const bucket of buckets) {
      if (this.count === 0) [this.firstMs, this.late] = [now, 0];
      this.sinceMs.set(bucket, now);
      addBucket(this.set, bucket);
    }
  }

  /** Given up before they were leased. */
  remove(buckets: Bitmap): void {
    for (const bucket of bucketsOf(buckets)) this.sinceMs.delete(bucket);
    removeAll(this.set, buckets);
  }

  /**
   * Takes out what need not wait any more; whether there was any.
   * @param served buckets that another node claims: they can wait
   */
  admit(isUsable: (bucket: number) => boolean, served: Bitmap, now: number): boolean {
    const admitted = emptyBitmap(32 * this.set.length);
    for (const [bucket, sinceMs] of this.sinceMs) {
      const isLate = now - sinceMs >= INSTALL_PATIENCE_MS && !hasBucket(served, bucket);
      if (!isUsable(bucket)) {
        if (!isLate) continue;
        this.late += 1;
        this.lateTotal += 1;
      }
      addBucket(admitted, bucket);
    }
    const before = this.count;
    this.remove(admitted);
    return this.count < before;
  }

  /** How it went, when none waits any more. */
  outcome(now: number): Wait | null {
    return this.count > 0 ? null : { waitedMs: now - this.firstMs, late: this.late };
  }
}
