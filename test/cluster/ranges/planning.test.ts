/** R1 of the invariants, tried out whole; what a death may move, for any claim and survivors. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addAll,
  bitmapOf,
  both,
  countBuckets,
  emptyBitmap,
  isEmpty,
  type Run,
  runsOf,
  without,
} from "../../../src/cluster/ranges/bitmap.js";
import { RangeKeeper } from "../../../src/cluster/ranges/keeper.js";
import { pieceOf } from "../../../src/cluster/ranges/takeover.js";
import { targetRun } from "../../../src/cluster/ranges/target.js";
import { RUNS_MAX } from "../../../src/config/limits.js";
import { Random } from "../../fuzz/random.js";

const IDS = Array.from({ length: 16 }, (_, index) => 1 + index * 17);

/** What is wrong with the targets of `members`, or an empty string. */
function faultOf(members: readonly number[], buckets: number): string {
  let next = 0;
  let least = buckets;
  let most = 0;
  for (const node of members) {
    const run = targetRun(members, node, buckets);
    if (run !== null && run[0] !== next) return `node ${node} begins at ${run[0]}, not ${next}`;
    const size = run === null ? 0 : run[1] - run[0] + 1;
    next += size;
    least = Math.min(least, size);
    most = Math.max(most, size);
  }
  if (next !== buckets) return `${next} of ${buckets} buckets`;
  return most - least > 1 ? `sizes ${least} to ${most}` : "";
}

describe("targets", () => {
  test("of every subset of 16 ids: complete, disjoint, sorted, equal within 1", () => {
    const random = new Random(1);
    for (let subset = 1; subset < 2 ** IDS.length; subset++) {
      const members = IDS.filter((_, index) => ((subset >>> index) & 1) === 1);
      const buckets = 1 + random.below(65_536);
      const fault = faultOf(members, buckets);
      if (fault !== "") expect(`${members} of ${buckets}: ${fault}`).toBe("");
    }
  });

  test("the check itself finds a gap, an overlap and an uneven share", () => {
    expect(faultOf([1, 2], 64)).toBe("");
    expect(faultOf([2, 1, 1], 64)).not.toBe("");
    expect(faultOf([], 64)).toBe("0 of 64 buckets");
  });
});

const bucketCounts = fc.constantFrom(2, 32, 64, 256, 4096);
const idLists = fc
  .uniqueArray(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 16 })
  .map((ids) => ids.sort((a, b) => a - b));

/** A claim in a few pieces, as takeovers leave them. */
function claimOf(seed: number, buckets: number): ReturnType<typeof bitmapOf> {
  const random = new Random(seed);
  const runs = Array.from({ length: random.below(8) }, (): Run => {
    const first = random.below(buckets);
    return [first, Math.min(buckets - 1, first + random.below(1 + buckets / 4))];
  });
  return bitmapOf(runs, buckets);
}

describe("a death", () => {
  test("moves its own buckets alone, each to one survivor, evenly", () => {
    fc.assert(
      fc.property(idLists, bucketCounts, fc.nat(), (survivors, buckets, seed) => {
        const claim = claimOf(seed, buckets);
        const all = emptyBitmap(buckets);
        const sizes = survivors.map((node) => {
          const piece = pieceOf(claim, survivors, node, buckets);
          expect(isEmpty(without(piece, claim))).toBe(true);
          expect(isEmpty(both(piece, all))).toBe(true);
          addAll(all, piece);
          return countBuckets(piece);
        });
        expect(all).toEqual(claim);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 300 },
    );
  });

  test("of a claim in too many pieces still leaves no bucket behind", () => {
    const buckets = 4 * RUNS_MAX;
    const ragged = Array.from({ length: RUNS_MAX + 5 }, (_, at): Run => [3 * at, 3 * at]);
    const claim = bitmapOf(ragged, buckets);
    fc.assert(
      fc.property(idLists, (survivors) => {
        const all = emptyBitmap(buckets);
        for (const node of survivors) addAll(all, pieceOf(claim, survivors, node, buckets));
        expect(all).toEqual(claim);
      }),
    );
  });

  test("takes nothing from the living: what they claim stays, what is mine stays", () => {
    fc.assert(
      fc.property(idLists, fc.nat(), fc.nat(), fc.nat(), (ids, dead, living, mine) => {
        const node = ids[0] as number;
        const keeper = new RangeKeeper(node, 256);
        const view = { ids, hash: 1n, epoch: 1 };
        keeper.watch([], 0, false);
        addAll(keeper.mine, claimOf(mine, 256));
        const before = keeper.mine.slice();
        const others = claimOf(living, 256);
        keeper.watch([others], 0, false);
        const took = keeper.takeOver(claimOf(dead, 256), view);
        expect(isEmpty(both(took, others))).toBe(true);
        expect(isEmpty(without(took, claimOf(dead, 256)))).toBe(true);
        expect(isEmpty(without(before, keeper.mine))).toBe(true);
        expect(runsOf(without(keeper.mine, before))).toEqual(runsOf(took));
      }),
      { numRuns: 300 },
    );
  });
});
