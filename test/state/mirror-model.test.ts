/** The mirror against two plain maps, for any order of packets, workers and pauses. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { FLOW_KEY, Mirror, mirrorBytes, NOT_MIRRORED, WAYS } from "../../src/state/mirror.js";

const IDLE_MS = 1000;
const FLOWS = 64;
const SHARDS = 2;

interface Step {
  readonly worker: number;
  readonly flow: number;
  /** Bucket to remember; negative: look the flow up. */
  readonly bucket: number;
  readonly pauseMs: number;
}

const steps = (flows: number) =>
  fc.array(
    fc.record({
      worker: fc.integer({ min: 0, max: SHARDS - 1 }),
      flow: fc.integer({ min: 0, max: flows - 1 }),
      bucket: fc.integer({ min: -3, max: 255 }),
      pauseMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 600 })),
    }),
    { maxLength: 120 },
  );

/** Keys differ in one word alone, and that not always the same. */
function keyOf(flow: number): Int32Array {
  const key = new Int32Array(FLOW_KEY.WORDS);
  key[flow % FLOW_KEY.WORDS] = flow + 1;
  return key;
}

interface Known {
  readonly bucket: number;
  readonly seenMs: number;
}

/** What a mirror without a bound would do. */
class Model {
  private readonly shards = Array.from({ length: SHARDS }, () => new Map<number, Known>());

  remember({ worker, flow, bucket }: Step, nowMs: number): void {
    this.shards[worker]?.set(flow, { bucket, seenMs: nowMs });
  }

  find({ worker, flow }: Step, nowMs: number): number {
    for (const shard of [worker, ...this.shards.keys()]) {
      const known = this.shards[shard]?.get(flow);
      if (known === undefined || nowMs - known.seenMs > IDLE_MS) continue;
      this.shards[worker]?.set(flow, { bucket: known.bucket, seenMs: nowMs });
      return known.bucket;
    }
    return NOT_MIRRORED;
  }
}

/** Plays steps on both; returns what each look-up gave, and what it should have. */
function play(list: readonly Step[], hashOf: (flow: number) => number): [number, number][] {
  const buffer = new SharedArrayBuffer(mirrorBytes(SHARDS, FLOWS));
  const mirrors = Array.from({ length: SHARDS }, (_, own) => {
    return new Mirror({ buffer, at: 0, shards: SHARDS, flows: FLOWS, own, idleMs: IDLE_MS });
  });
  const model = new Model();
  const found: [number, number][] = [];
  // Across the end of the clock's modulus.
  let now = 2 ** 30 - 500;
  for (const step of list) {
    now += step.pauseMs;
    const mirror = mirrors[step.worker] as Mirror;
    const hash = hashOf(step.flow);
    if (step.bucket >= 0) {
      mirror.remember(keyOf(step.flow), hash, step.bucket, now);
      model.remember(step, now);
    } else {
      found.push([mirror.find(keyOf(step.flow), hash, now), model.find(step, now)]);
    }
  }
  return found;
}

test("with room for all it is a map that forgets what is idle", () => {
  fc.assert(
    fc.property(steps(FLOWS), (list) => {
      // As many flows of a set as it has ways.
      const sets = FLOWS / WAYS;
      for (const [found, expected] of play(list, (flow) => flow % sets)) {
        expect(found).toBe(expected);
      }
    }),
    { numRuns: 300 },
  );
});

test("in a set that is too small flows are forgotten, never mistaken for each other", () => {
  fc.assert(
    fc.property(steps(12), (list) => {
      // Each flow has its own number for a bucket: what is found tells whose it is.
      const named = list.map((step) => (step.bucket < 0 ? step : { ...step, bucket: step.flow }));
      const asked = named.filter(({ bucket }) => bucket < 0);
      for (const [at, [found]] of play(named, () => 5).entries()) {
        if (found !== NOT_MIRRORED) expect(found).toBe(asked[at]?.flow);
      }
    }),
    { numRuns: 300 },
  );
});
