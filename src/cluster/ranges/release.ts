/**
 * Which of my buckets I may give up because another node claims them too.
 *
 * Problem: two owners that each trust the other's claim could both let go. Acknowledgements would
 * need a round trip and memory of who promised what. The rule below needs neither.
 *
 * Rule: obey a claim only if the sender has my view (same hash) and an epoch not below mine. Of the
 * owners of a bucket the target owner ranks first, the others by id, lowest first. Release a bucket
 * only to a node that ranks better.
 *
 * Why no bucket becomes unowned. Let e be a node's epoch: it never goes back, rises with each
 * change of the node's own view, and is raised to any higher epoch it hears. Suppose all owners of
 * a bucket have let go and none of them died. The last release of each owner X[i] obeyed a claim
 * sent by X[i+1], which let go later than it claimed. There are finitely many owners, so the chain
 * closes to a cycle, and along it
 *
 *    e(release of X[i]) <= e(claim of X[i+1]) <= e(release of X[i+1]) <= ... <= e(release of X[i])
 *                obeyed only then          never goes back
 *
 * so all are equal. A view change between claim and release would have raised the epoch: each X[i]
 * claimed and released under one view, and all of the cycle under the same one, since hashes agree.
 * In one view each release goes to a better rank, and no cycle can always get better. So one of the
 * owners still owns the bucket, or has died, and then its last claim makes the bucket an orphan.
 *
 *      X (view ab, e 5)      owns b --- claim e5, late ----------------------.
 *      X (view abc, e 6)     owns b <-- claim e6 -- Y (view abc, e 6): X releases
 *      Y (view ab, e 7)      owns b                  <-----------------------' e5 < e7: not obeyed
 *
 * Loss, delay, duplicates and order of messages appear nowhere in this, so none of them matters.
 */
import { type Bitmap, both } from "./bitmap.js";

/** What a node knows of its own place or a claimer's when it judges a claim. */
export interface Claimer {
  readonly node: number;
  readonly viewHash: bigint;
  readonly epoch: number;
  /** Buckets it claims. */
  readonly claim: Bitmap;
  /** Its target range in the view; empty for a node outside the view. */
  readonly target: Bitmap;
}

/** The buckets of `mine.claim` to be released to `theirs`, as a new set. */
export function releasable(mine: Claimer, theirs: Claimer): Bitmap {
  const shared = both(mine.claim, theirs.claim);
  if (theirs.viewHash !== mine.viewHash || theirs.epoch < mine.epoch) return shared.fill(0);
  const theirsByRank = theirs.node < mine.node;
  return shared.map((word, index) => {
    const inTheirs = theirs.target[index];
    const inNeither = theirsByRank ? ~mine.target[index] & ~inTheirs : 0;
    return word & (inTheirs | inNeither);
  });
}
