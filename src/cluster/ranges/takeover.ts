/**
 * Who takes what of a dead node's last claim.
 *
 * Going to the new sorted target at once would move up to 44 % of the buckets of healthy nodes. So
 * only the orphans move: the dead node's claim is cut into as many contiguous pieces as there are
 * survivors, in the order of their ids. Each survivor computes all of it alone and takes its piece.
 *
 * The cut is made over the whole claim, and what a live node claims too is left out only then:
 * nodes that notice the death at different moments see different live claims, but the same last
 * claim of the dead one.
 */
import { RUNS_MAX } from "../../config/limits.js";
import {
  addBucket,
  type Bitmap,
  both,
  bucketsOf,
  countBuckets,
  emptyBitmap,
  runsOf,
} from "./bitmap.js";
import { targetOf } from "./target.js";

/**
 * The piece of `claim` that falls to `node`.
 * @param claim last claim of the dead node
 * @param survivors sorted ids of the active nodes; without `node` among them the piece is empty
 */
export function pieceOf(
  claim: Bitmap,
  survivors: readonly number[],
  node: number,
  buckets: number,
): Bitmap {
  const index = survivors.indexOf(node);
  if (index < 0) return emptyBitmap(buckets);
  // A claim in more runs than a heartbeat holds would make ours as ragged: go to the target.
  if (runsOf(claim, RUNS_MAX).length === RUNS_MAX) {
    return both(claim, targetOf(survivors, node, buckets));
  }
  const total = countBuckets(claim);
  const from = Math.floor((index * total) / survivors.length);
  const to = Math.floor(((index + 1) * total) / survivors.length);
  return ranked(claim, from, to, buckets);
}

/** The members of `claim` whose rank, counted from 0, is in [from, to). */
function ranked(claim: Bitmap, from: number, to: number, buckets: number): Bitmap {
  const piece = emptyBitmap(buckets);
  let rank = 0;
  for (const bucket of bucketsOf(claim)) {
    if (rank >= to) break;
    if (rank >= from) addBucket(piece, bucket);
    rank += 1;
  }
  return piece;
}
