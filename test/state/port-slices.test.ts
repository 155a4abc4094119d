import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NO_SLICE, PortSlices } from "../../src/state/port-slices.js";

describe("slices of 10 ports for 3 buckets", () => {
  const slices = new PortSlices([1000, 1009], 3);

  test("are contiguous and of one width", () => {
    expect([0, 1, 2].map((bucket) => slices.of(bucket))).toEqual([
      [1000, 1002],
      [1003, 1005],
      [1006, 1008],
    ]);
  });

  test.each([
    [999, NO_SLICE],
    [1000, 0],
    [1002, 0],
    [1003, 1],
    [1008, 2],
    [1009, NO_SLICE],
    [1010, NO_SLICE],
    [0, NO_SLICE],
    [65535, NO_SLICE],
  ])("port %i is of bucket %i", (port, bucket) => {
    expect(slices.bucketOf(port)).toBe(bucket);
  });
});

test("one port each is the least; fewer give no slice at all", () => {
  expect(new PortSlices([1, 256], 256).of(255)).toEqual([256, 256]);
  const none = new PortSlices([1, 255], 256);
  expect(none.width).toBe(0);
  for (let port = 0; port <= 300; port++) expect(none.bucketOf(port)).toBe(NO_SLICE);
});

describe("for any range and number of buckets", () => {
  const port = fc.integer({ min: 1, max: 65535 });
  const given = fc
    .tuple(port, port, fc.integer({ min: 1, max: 65536 }))
    .map(([a, b, buckets]) => ({ first: Math.min(a, b), last: Math.max(a, b), buckets }))
    .filter(({ first, last, buckets }) => last - first + 1 >= buckets);

  test("slices are equal, disjoint, in order and inside the range", () => {
    fc.assert(
      fc.property(given, ({ first, last, buckets }) => {
        const slices = new PortSlices([first, last], buckets);
        let next = first;
        for (let bucket = 0; bucket < buckets; bucket++) {
          const [low, high] = slices.of(bucket);
          if (low !== next || high - low + 1 !== slices.width) return false;
          next = high + 1;
        }
        // Complete but for less than a port for each bucket.
        return next - 1 <= last && last - (next - 1) < buckets;
      }),
    );
  });

  test("each port names the bucket of its slice, and no other port names one", () => {
    fc.assert(
      fc.property(given, fc.integer({ min: 0, max: 65535 }), ({ first, last, buckets }, each) => {
        const slices = new PortSlices([first, last], buckets);
        const bucket = slices.bucketOf(each);
        if (bucket === NO_SLICE) return each < first || each >= first + buckets * slices.width;
        const [low, high] = slices.of(bucket);
        return bucket >= 0 && bucket < buckets && each >= low && each <= high;
      }),
    );
  });
});
