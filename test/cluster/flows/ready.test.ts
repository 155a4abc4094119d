/** Which buckets have their flows here, where more than their owner had a word on them. */
import { expect, test } from "vitest";
import { CONTEST_MS } from "../../../src/cluster/limits.js";
import { bucketOf, has, open, settled, TOLD_MS } from "./settled.js";

test("a bucket is not ready where a flow was ended here that its new owner goes on with", () => {
  const world = settled(41, 3);
  const [a, b] = world.boxes;
  const bucket = bucketOf(a);
  const record = open(world, a, 1);
  world.run(TOLD_MS);
  world.own(b, [...b.owned, bucket]);
  world.run(100);
  expect(a.sync?.ledger.isHolder(bucket, b.id)).toBe(true);
  world.gone(a, record);
  world.run(30);
  world.own(
    a,
    [...a.owned].filter((each) => each !== bucket),
  );
  world.run(30);
  expect([has(b, record), a.ready(bucket)]).toEqual([true, false]);
  world.run(10 * CONTEST_MS);
  expect([has(a, record), a.ready(bucket)]).toEqual([true, true]);
  expect(world.differences()).toEqual([]);
});
