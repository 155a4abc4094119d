/** What the threads share: lease, ranges, counters, marks, signs of life. */
import { describe, expect, test } from "vitest";
import { bitmapWords, hasBucket, publishBitmap } from "../../src/state/bucket-set.js";
import { COUNTERS_BYTES, Counters, EXTRA } from "../../src/state/counters.js";
import { allocateShared, SharedState } from "../../src/state/layout.js";
import { leaseLeft, revokeLease, writeLease } from "../../src/state/lease-word.js";
import { MarkField } from "../../src/state/mark-field.js";

const DAYS = 24 * 3600 * 1000;

describe("the lease in two words", () => {
  test.each([0, 1, 150, 2 ** 30 - 1, 2 ** 30, 2 ** 30 + 75, 40 * DAYS, 4000 * DAYS])(
    "until %d ms is exact to the millisecond",
    (until) => {
      const words = new Int32Array(new SharedArrayBuffer(8));
      writeLease(words, 0, until);
      expect(leaseLeft(words, 0, until - 1)).toBe(1);
      expect(leaseLeft(words, 0, until)).toBe(0);
      expect(leaseLeft(words, 0, until + 1)).toBe(-1);
    },
  );

  test("is never valid before it was written, nor after it was revoked", () => {
    const words = new Int32Array(new SharedArrayBuffer(8));
    for (const now of [1, 50 * DAYS, 2 ** 30, 2 ** 31]) {
      expect(leaseLeft(words, 0, now)).toBeLessThan(0);
    }
    writeLease(words, 0, 50 * DAYS);
    revokeLease(words, 0);
    expect(leaseLeft(words, 0, 1)).toBeLessThan(0);
  });
});

test("a bitmap answers for each bucket and for none beyond its end", () => {
  const bitmap = new Int32Array(new SharedArrayBuffer(bitmapWords(64) * 4));
  publishBitmap(bitmap, [1 | (1 << 31), 2]);
  const owned = Array.from({ length: 200 }, (_, bucket) => bucket);
  expect(owned.filter((bucket) => hasBucket(bitmap, bucket))).toEqual([0, 31, 33]);
  publishBitmap(bitmap, []);
  expect(hasBucket(bitmap, 0)).toBe(false);
});

describe("counters", () => {
  test("a reader gets the values of whole batches", () => {
    const buffer = new SharedArrayBuffer(COUNTERS_BYTES);
    const writer = new Counters(buffer, 0);
    writer.begin();
    writer.add(0, 3);
    writer.add(EXTRA.SEEN, 3);
    writer.set(EXTRA.OVERRUNS, 7);
    writer.end();
    const read = new Counters(buffer, 0).read();
    expect([read[0], read[EXTRA.SEEN], read[EXTRA.OVERRUNS]]).toEqual([3, 3, 7]);
  });

  test("a writer that was killed in the middle does not block readers for ever", () => {
    const buffer = new SharedArrayBuffer(COUNTERS_BYTES);
    new Counters(buffer, 0).begin();
    const successor = new Counters(buffer, 0);
    successor.recover();
    successor.begin();
    successor.add(1, 1);
    successor.end();
    expect(new Counters(buffer, 0).read()[1]).toBe(1);
    expect(new Int32Array(buffer)[0] % 2).toBe(0);
  });
});

describe("the bucket in a mark", () => {
  test.each([
    [0xffff0000, 256, 0x0001, 16],
    [0x0001ffff, 65536, 0x80000000, 0],
    [0xffff8000 | 0, 65536, 0x7fff, 15],
    [0x00000ff0, 128, 0xf000000f, 4],
  ])("mask %i holds %i buckets and leaves other bits alone", (mask, buckets, other, shift) => {
    const field = new MarkField(mask);
    for (const bucket of [0, 1, buckets >> 1, buckets - 1]) {
      const mark = field.with(other | 0, bucket);
      expect(field.bucketOf(mark)).toBe(bucket);
      expect(mark & ~mask).toBe(other | 0);
      expect(field.encode(bucket)).toBe(((bucket + 1) * 2 ** shift) >>> 0);
      expect(field.isCluster(mark)).toBe(true);
    }
    expect(field.bucketOf(other | mask)).toBe(-1);
    expect(field.isCluster(other & ~mask)).toBe(false);
  });
});

describe("signs of life", () => {
  test("silence is measured per thread, across the wrap of the clock's word", () => {
    const state = new SharedState(allocateShared(256, 2));
    state.markWorkerAlive(0, 2 ** 30 - 5);
    state.markWorkerAlive(1, 2 ** 30 + 5);
    state.markMainAlive(2 ** 30 + 9);
    expect(state.workerSilenceMs(0, 2 ** 30 + 10)).toBe(15);
    expect(state.workerSilenceMs(1, 2 ** 30 + 10)).toBe(5);
    expect(state.mainSilenceMs(2 ** 30 + 10)).toBe(1);
  });

  test("two views on one buffer see the same, and nothing overlaps", () => {
    const shared = allocateShared(65536, 3);
    const [a, b] = [new SharedState(shared), new SharedState(shared)];
    publishBitmap(a.owned, new Int32Array(2048).fill(-1));
    a.counters(2).add(EXTRA.SEEN, 5);
    a.requestStop();
    expect(b.stopRequested).toBe(true);
    expect(hasBucket(b.owned, 65535)).toBe(true);
    expect([0, 1, 2].map((worker) => b.counters(worker).read()[EXTRA.SEEN])).toEqual([0, 0, 5]);
  });
});
