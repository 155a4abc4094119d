/** What a node should own, computed from the view alone: the same on every node of equal view. */
import { type Bitmap, bitmapOf, type Run } from "./bitmap.js";

/**
 * The target range of `node`: complete over all members, disjoint, sizes equal within 1, contiguous
 * and sorted by id.
 * @param members sorted node ids
 * @returns null when `node` is not a member, or when there are more members than buckets
 */
export function targetRun(members: readonly number[], node: number, buckets: number): Run | null {
  const index = members.indexOf(node);
  if (index < 0) return null;
  const first = Math.floor((index * buckets) / members.length);
  const last = Math.floor(((index + 1) * buckets) / members.length) - 1;
  return last < first ? null : [first, last];
}

/** The target range of `node` as a set; empty where `targetRun` knows none. */
export function targetOf(members: readonly number[], node: number, buckets: number): Bitmap {
  const run = targetRun(members, node, buckets);
  return bitmapOf(run ? [run] : [], buckets);
}
