/** Takeover, release, safety net and planned steps, each as what it decides. */
import { describe, expect, test } from "vitest";
import { bitmapOf, countBuckets, type Run, runsOf } from "../../../src/cluster/ranges/bitmap.js";
import { RangeKeeper } from "../../../src/cluster/ranges/keeper.js";
import { type Claimer, releasable } from "../../../src/cluster/ranges/release.js";
import { pieceOf } from "../../../src/cluster/ranges/takeover.js";
import { Uncovered } from "../../../src/cluster/ranges/uncovered.js";
import { RUNS_MAX } from "../../../src/config/limits.js";

const set = (...runs: Run[]) => bitmapOf(runs, 64);
const VIEW = { ids: [1, 2], hash: 5n, epoch: 10 };
const always = () => true;

describe("takeover", () => {
  test("the dead node's claim is cut in order, evenly, for any survivor", () => {
    const claim = set([8, 15], [40, 43]);
    const pieces = [1, 3, 7].map((node) => runsOf(pieceOf(claim, [1, 3, 7], node, 64)));
    expect(pieces).toEqual([[[8, 11]], [[12, 15]], [[40, 43]]]);
  });

  test("the pieces are the claim, each bucket once, whatever the counts", () => {
    for (let size = 0; size <= 64; size++) {
      const claim = size === 0 ? set() : set([0, size - 1]);
      const pieces = [2, 4, 9, 11, 30].map((node) => pieceOf(claim, [2, 4, 9, 11, 30], node, 64));
      const sizes = pieces.map(countBuckets);
      expect(sizes.reduce((sum, count) => sum + count, 0)).toBe(size);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }
  });

  test("nobody outside the view takes anything", () => {
    expect(countBuckets(pieceOf(set([0, 63]), [1, 2], 3, 64))).toBe(0);
  });

  test("a claim too ragged to share goes to the sorted target", () => {
    const ragged = Array.from({ length: RUNS_MAX }, (_, index): Run => [index * 4, index * 4]);
    const piece = pieceOf(bitmapOf(ragged, 512), [1, 2], 2, 512);
    expect(runsOf(piece)[0]).toEqual([256, 256]);
    expect(countBuckets(piece)).toBe(RUNS_MAX / 2);
  });

  test("what a live node claims too is left to it", () => {
    const keeper = new RangeKeeper(1, 64);
    keeper.watch([set([0, 3])], 0, true);
    expect(runsOf(keeper.takeOver(set([0, 15]), VIEW))).toEqual([[4, 7]]);
  });
});

describe("release", () => {
  const mine: Claimer = {
    node: 2,
    viewHash: 5n,
    epoch: 10,
    claim: set([0, 47]),
    target: set([0, 15]),
  };
  const theirs: Claimer = { ...mine, node: 1, claim: set([8, 63]), target: set([16, 31]) };
  const rows: [string, Partial<Claimer>, Run[]][] = [
    ["theirs and, to a lower id, what is nobody's target", {}, [[16, 47]]],
    ["to a higher id only what is its target", { node: 3 }, [[16, 31]]],
    ["a higher epoch is obeyed too", { epoch: 11 }, [[16, 47]]],
    ["another view: nothing", { viewHash: 6n }, []],
    ["a lower epoch: nothing", { epoch: 9 }, []],
    ["what they do not claim: nothing", { claim: set([0, 7]) }, []],
  ];
  test.each(rows)("%s", (_name, change, expected) => {
    expect(runsOf(releasable(mine, { ...theirs, ...change }))).toEqual(expected);
  });

  test("two owners never both release, for any targets in one view", () => {
    for (const target of [set([0, 63]), set([0, 31]), set()]) {
      const a: Claimer = { ...mine, node: 1, claim: set([0, 63]), target };
      const b: Claimer = { ...a, node: 2, target: set([32, 63]) };
      if (runsOf(target)[0]?.[1] === 63) b.target.fill(0);
      const both = [releasable(a, b), releasable(b, a)];
      expect(both[0].every((word, index) => (word & both[1][index]) === 0)).toBe(true);
      expect(both.map(countBuckets).reduce((sum, count) => sum + count, 0)).toBe(64);
    }
  });
});

describe("safety net", () => {
  test("a bucket is overdue when nobody has claimed it for long enough", () => {
    const uncovered = new Uncovered(64);
    uncovered.watch(set([0, 31]), 100, true);
    uncovered.watch(set([0, 15]), 130, true);
    const overdue = (now: number) => runsOf(uncovered.overdue(set([8, 63]), 50, now));
    expect(overdue(149)).toEqual([]);
    expect(overdue(150)).toEqual([[32, 63]]);
    expect(overdue(180)).toEqual([[16, 63]]);
    expect(uncovered.count).toBe(48);
  });

  test("a claim in between starts the wait anew, and the time is counted", () => {
    const uncovered = new Uncovered(64);
    uncovered.watch(set(), 0, true);
    uncovered.watch(set([0, 63]), 30, true);
    uncovered.watch(set(), 40, true);
    expect(runsOf(uncovered.overdue(set([0, 63]), 50, 60))).toEqual([]);
    uncovered.watch(set([0, 63]), 60, true);
    expect(uncovered.totalMs).toBe(50);
  });

  test("what a node sees before it is active is not counted", () => {
    const uncovered = new Uncovered(64);
    uncovered.watch(set(), 0, false);
    uncovered.watch(set(), 300, false);
    expect(uncovered.totalMs).toBe(0);
  });
});

describe("planned steps", () => {
  test("at most a step at a time, only of the target, only what another owns", () => {
    const keeper = new RangeKeeper(2, 64);
    keeper.watch([set([0, 39])], 0, true);
    expect(runsOf(keeper.claimPlanned(VIEW, 5, always))).toEqual([[32, 36]]);
    expect(keeper.overlap).toBe(5);
    expect(runsOf(keeper.claimPlanned(VIEW, 5, always))).toEqual([[37, 39]]);
    expect(runsOf(keeper.claimPlanned(VIEW, 5, always))).toEqual([]);
  });

  test("a bucket without its flows waits, and does not use the step up", () => {
    const keeper = new RangeKeeper(2, 64);
    keeper.watch([set([0, 63])], 0, true);
    expect(runsOf(keeper.claimPlanned(VIEW, 2, (bucket) => bucket >= 40))).toEqual([[40, 41]]);
  });
});
