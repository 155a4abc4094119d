/**
 * The safety net: buckets that nobody claims, and since when.
 *
 * In quiet there are none. They appear at the first start, and after a death when the survivors did
 * not share one picture of the dead node's last claim. Waiting one heartbeat gives the node whose
 * piece it is the time to say so.
 */
import {
  addBucket,
  type Bitmap,
  bucketsOf,
  countBuckets,
  emptyBitmap,
  hasBucket,
  isEmpty,
} from "./bitmap.js";

export class Uncovered {
  private open: Bitmap;
  private readonly universe: Bitmap;
  /** Only meaningful for the members of `open`. */
  private readonly sinceMs: Float64Array;
  private watchedMs = Number.POSITIVE_INFINITY;
  /** Milliseconds during which at least one bucket was in nobody's claim, as seen from here. */
  totalMs = 0;

  constructor(private readonly buckets: number) {
    this.open = emptyBitmap(buckets);
    this.sinceMs = new Float64Array(buckets);
    this.universe = emptyBitmap(buckets);
    for (let bucket = 0; bucket < buckets; bucket++) addBucket(this.universe, bucket);
  }

  get count(): number {
    return countBuckets(this.open);
  }

  get isAny(): boolean {
    return !isEmpty(this.open);
  }

  /**
   * Takes the union of all claims at `now`.
   * @param isCounted whether the time counts: a node that has not joined yet cannot judge
   */
  watch(claimed: Bitmap, now: number, isCounted: boolean): void {
    const open = this.universe.map((word, index) => word & ~claimed[index]);
    if (isCounted && this.count > 0) this.totalMs += Math.max(0, now - this.watchedMs);
    for (const bucket of bucketsOf(open)) {
      if (!hasBucket(this.open, bucket)) this.sinceMs[bucket] = now;
    }
    this.open = open;
    this.watchedMs = now;
  }

  /** The members of `target` that nobody has claimed for `waitMs` or longer. */
  overdue(target: Bitmap, waitMs: number, now: number): Bitmap {
    const overdue = emptyBitmap(this.buckets);
    for (const bucket of bucketsOf(this.open)) {
      if (!hasBucket(target, bucket)) continue;
      if (now - this.sinceMs[bucket] >= waitMs) addBucket(overdue, bucket);
    }
    return overdue;
  }
}
