import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bitmapOf,
  bucketsOf,
  countBuckets,
  hasBucket,
  type Run,
  runsOf,
  without,
} from "../../../src/cluster/ranges/bitmap.js";
import { targetOf, targetRun } from "../../../src/cluster/ranges/target.js";

const bucketSets = fc.uniqueArray(fc.integer({ min: 0, max: 255 }));
const setOf = (buckets: number[]) =>
  bitmapOf(
    buckets.map((bucket): Run => [bucket, bucket]),
    256,
  );

describe("bitmap", () => {
  const literal: [Run[], number[]][] = [
    [[], [0, 0]],
    [[[0, 0]], [1, 0]],
    [[[31, 32]], [0x80000000, 1]],
    [[[0, 63]], [0xffffffff, 0xffffffff]],
  ];
  test.each(literal)("runs %o are words %o, both ways", (runs, words) => {
    expect([...bitmapOf(runs, 64)]).toEqual(words);
    expect(runsOf(Uint32Array.from(words))).toEqual(runs);
  });

  test("runs, members and count agree with a plain set", () => {
    fc.assert(
      fc.property(bucketSets, (buckets) => {
        const bitmap = setOf(buckets);
        const sorted = [...buckets].sort((a, b) => a - b);
        expect([...bucketsOf(bitmap)]).toEqual(sorted);
        expect(countBuckets(bitmap)).toBe(buckets.length);
        expect(bitmapOf(runsOf(bitmap), 256)).toEqual(bitmap);
        expect(buckets.every((bucket) => hasBucket(bitmap, bucket))).toBe(true);
      }),
    );
  });

  test("a limit leaves the later runs out", () => {
    expect(runsOf(setOf([1, 3, 5]), 2)).toEqual([
      [1, 1],
      [3, 3],
    ]);
  });

  test("two buckets and 65536 buckets", () => {
    expect(runsOf(bitmapOf([[1, 1]], 2))).toEqual([[1, 1]]);
    expect(runsOf(bitmapOf([[0, 65535]], 65536))).toEqual([[0, 65535]]);
  });
});

describe("target", () => {
  test("complete, disjoint, equal within 1, contiguous, sorted: for any view", () => {
    const ids = fc.uniqueArray(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 32 });
    fc.assert(
      fc.property(ids, fc.constantFrom(2, 8, 32, 256, 1024), (unsorted, buckets) => {
        const members = [...unsorted].sort((a, b) => a - b);
        const runs = members.map((node) => targetRun(members, node, buckets));
        const sizes = runs.map((run) => (run ? run[1] - run[0] + 1 : 0));
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        const covered = runs.flatMap((run) =>
          run ? [...bucketsOf(bitmapOf([run], buckets))] : [],
        );
        expect(covered).toEqual(Array.from({ length: buckets }, (_, bucket) => bucket));
      }),
    );
  });

  test("a node outside the view has none", () => {
    expect(targetRun([1, 2], 3, 64)).toBeNull();
    expect(countBuckets(targetOf([1, 2], 3, 64))).toBe(0);
  });
});

test("without takes out exactly the common members", () => {
  fc.assert(
    fc.property(bucketSets, bucketSets, (a, b) => {
      const left = [...bucketsOf(without(setOf(a), setOf(b)))];
      expect(left).toEqual(a.filter((bucket) => !b.includes(bucket)).sort((x, y) => x - y));
    }),
  );
});
