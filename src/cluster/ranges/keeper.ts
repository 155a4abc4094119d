/**
 * The buckets this node owns, and the four ways they change: a dead node's piece, a bucket that
 * nobody claims, a planned step towards the target, a release to a better owner.
 *
 * Nothing here is ever lost by a message: claims are state, repeated with each heartbeat.
 */
import {
  addAll,
  addBucket,
  type Bitmap,
  both,
  bucketsOf,
  countBuckets,
  emptyBitmap,
  isEmpty,
  removeAll,
  without,
} from "./bitmap.js";
import { releasable } from "./release.js";
import { pieceOf } from "./takeover.js";
import { targetOf } from "./target.js";
import { Uncovered } from "./uncovered.js";

/** What the rules need to know of the view. */
export interface RangeView {
  /** Sorted ids of the active nodes. */
  readonly ids: readonly number[];
  readonly hash: bigint;
  readonly epoch: number;
}

export interface Claim {
  readonly node: number;
  readonly viewHash: bigint;
  readonly epoch: number;
  readonly buckets: Bitmap;
}

export class RangeKeeper {
  readonly mine: Bitmap;
  readonly uncovered: Uncovered;
  /** Union of the live peers' claims at the last `watch`. */
  private others: Bitmap;

  constructor(
    private readonly node: number,
    private readonly buckets: number,
  ) {
    this.mine = emptyBitmap(buckets);
    this.others = emptyBitmap(buckets);
    this.uncovered = new Uncovered(buckets);
  }

  get count(): number {
    return countBuckets(this.mine);
  }

  /** Buckets claimed by this node and by another at once. */
  get overlap(): number {
    return countBuckets(both(this.mine, this.others));
  }

  /** Those of a set that another claims. */
  shared(set: Bitmap): Bitmap {
    return both(set, this.others);
  }

  /** Takes the claims of the live peers as they are at `now`. */
  watch(claims: Iterable<Bitmap>, now: number, isCounted: boolean): void {
    this.others = emptyBitmap(this.buckets);
    for (const claim of claims) addAll(this.others, claim);
    const all = this.others.slice();
    addAll(all, this.mine);
    this.uncovered.watch(all, now, isCounted);
  }

  /** Claims this node's piece of a dead node's last claim; returns what was added. */
  takeOver(dead: Bitmap, view: RangeView): Bitmap {
    return this.add(without(pieceOf(dead, view.ids, this.node, this.buckets), this.others));
  }

  /** Claims what nobody has claimed for `waitMs` and belongs here; returns what was added. */
  claimUncovered(view: RangeView, waitMs: number, now: number): Bitmap {
    return this.add(this.uncovered.overdue(this.target(view), waitMs, now));
  }

  /**
   * Claims up to `step` buckets of the target that another node still owns.
   * @param mayClaim whether the flows of a bucket are usable here
   */
  claimPlanned(view: RangeView, step: number, mayClaim: (bucket: number) => boolean): Bitmap {
    const chosen = emptyBitmap(this.buckets);
    let left = step;
    for (const bucket of bucketsOf(without(both(this.target(view), this.others), this.mine))) {
      if (left === 0) break;
      if (!mayClaim(bucket)) continue;
      addBucket(chosen, bucket);
      left -= 1;
    }
    return this.add(chosen);
  }

  /** Buckets of the target that are not owned yet. */
  planned(view: RangeView): Bitmap {
    return without(this.target(view), this.mine);
  }

  /** Obeys another node's claim as far as release.ts allows; returns what was given up. */
  release(view: RangeView, theirs: Claim): Bitmap {
    const shared = both(this.mine, theirs.buckets);
    if (isEmpty(shared)) return shared; // nearly always
    const released = releasable(
      {
        node: this.node,
        viewHash: view.hash,
        epoch: view.epoch,
        claim: this.mine,
        target: this.target(view),
      },
      {
        node: theirs.node,
        viewHash: theirs.viewHash,
        epoch: theirs.epoch,
        claim: theirs.buckets,
        target: targetOf(view.ids, theirs.node, this.buckets),
      },
    );
    removeAll(this.mine, released);
    return released;
  }

  /** Gives everything up; returns what it was. */
  dropAll(): Bitmap {
    const dropped = this.mine.slice();
    this.mine.fill(0);
    return dropped;
  }

  get isIdle(): boolean {
    return isEmpty(this.mine);
  }

  private target(view: RangeView): Bitmap {
    return targetOf(view.ids, this.node, this.buckets);
  }

  private add(buckets: Bitmap): Bitmap {
    const added = without(buckets, this.mine);
    addAll(this.mine, added);
    return added;
  }
}
