/** The mirror as one writer and many readers see it. */
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { FLOW_KEY, Mirror, mirrorBytes, NOT_MIRRORED, WAYS } from "../../src/state/mirror.js";
import { fixture } from "../fixture/netns.js";

const IDLE_MS = 1000;

function shards(count: number, flows: number): Mirror[] {
  const buffer = new SharedArrayBuffer(mirrorBytes(count, flows));
  return Array.from(
    { length: count },
    (_, own) => new Mirror({ buffer, at: 0, shards: count, flows, own, idleMs: IDLE_MS }),
  );
}

const keyOf = (n: number) => new Int32Array(FLOW_KEY.WORDS).fill(n);

describe("a mirror", () => {
  test("finds what was remembered, in its own shard and in another", () => {
    const [a, b] = shards(2, 64);
    a.remember(keyOf(1), 77, 0, 5000);
    expect(a.find(keyOf(1), 77, 5001)).toBe(0);
    expect(b.find(keyOf(1), 77, 5001)).toBe(0);
    expect(a.find(keyOf(2), 77, 5001)).toBe(NOT_MIRRORED);
    expect(a.find(keyOf(1), 78, 5001)).toBe(NOT_MIRRORED);
  });

  test("an empty entry is no flow, not even that of an all-zero key", () => {
    const [a] = shards(1, 64);
    expect(a.find(keyOf(0), 0, 1)).toBe(NOT_MIRRORED);
  });

  test("what is remembered again has the newer bucket and no second entry", () => {
    const [a] = shards(1, WAYS);
    for (let bucket = 0; bucket < 9; bucket++) a.remember(keyOf(1), 0, bucket, 10);
    expect(a.find(keyOf(1), 0, 10)).toBe(8);
    for (let n = 2; n <= WAYS; n++) a.remember(keyOf(n), 0, n, 10);
    expect(a.find(keyOf(1), 0, 10)).toBe(8);
    expect(a.evicted).toBe(0);
  });

  test("a look-up keeps a flow in use, silence ends it", () => {
    const [a] = shards(1, 64);
    a.remember(keyOf(1), 0, 3, 0);
    expect(a.find(keyOf(1), 0, IDLE_MS)).toBe(3);
    expect(a.find(keyOf(1), 0, 2 * IDLE_MS)).toBe(3);
    expect(a.find(keyOf(1), 0, 3 * IDLE_MS + 1)).toBe(NOT_MIRRORED);
  });

  test("look-ups in quick succession keep a flow in use too", () => {
    const [a] = shards(1, 64);
    a.remember(keyOf(1), 0, 3, 0);
    for (let now = 0; now <= 3 * IDLE_MS; now++) expect(a.find(keyOf(1), 0, now)).toBe(3);
    expect(a.find(keyOf(1), 0, 4 * IDLE_MS + 1)).toBe(NOT_MIRRORED);
  });

  test("a full set makes room for a new flow at the cost of the one not seen for longest", () => {
    const [a] = shards(1, WAYS);
    const numbers = Array.from({ length: WAYS }, (_, index) => index + 1);
    for (const n of numbers) a.remember(keyOf(n), 0, n, n);
    a.find(keyOf(1), 0, 9);
    a.remember(keyOf(99), 0, 99, 10);
    expect(a.find(keyOf(99), 0, 10)).toBe(99);
    expect(numbers.filter((n) => a.find(keyOf(n), 0, 10) === NOT_MIRRORED)).toEqual([2]);
    expect(a.evicted).toBe(1);
    a.remember(keyOf(100), 0, 100, 10 + 2 * IDLE_MS);
    expect(a.evicted).toBe(1);
  });

  test("times wrap after twelve days", () => {
    const [a] = shards(1, 64);
    a.remember(keyOf(1), 0, 3, 2 ** 30 - 10);
    expect(a.find(keyOf(1), 0, 2 ** 30 + 10)).toBe(3);
  });

  test("readers in other threads never see a torn entry", async () => {
    const buffer = new SharedArrayBuffer(mirrorBytes(3, 64));
    const report = (own: number) =>
      new Promise<{ hits: number; torn: number }>((resolve, reject) => {
        const worker = new Worker(fixture("mirror-stress.mjs"), { workerData: { buffer, own } });
        worker.once("message", resolve).once("error", reject);
      });
    const reports = await Promise.all([0, 1, 2].map(report));
    for (const { hits, torn } of reports) {
      expect(torn).toBe(0);
      expect(hits).toBeGreaterThan(1000);
    }
  });
});
