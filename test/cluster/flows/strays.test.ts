/** Flows that a kernel let in before or after replication here had to do with their bucket. */
import { describe, expect, test } from "vitest";
import type { Replicated } from "../../../src/cluster/flows/record.js";
import { Strays } from "../../../src/cluster/flows/strays.js";
import { LINGER_MS } from "../../../src/cluster/limits.js";
import { flow } from "./flows.js";
import { bucketOf, settled, TOLD_MS } from "./settled.js";
import type { FlowWorld } from "./world.js";

/** How many flows each node has been told of. */
const told = (world: FlowWorld) => world.boxes.map(({ sync }) => sync?.shelf.table.size);

test("a flow that was let in before the range is known here is told once it is", () => {
  const world = settled(31, 3);
  const [a, b] = world.boxes;
  const bucket = bucketOf(a);
  world.alive(b, flow(1, bucket, { state: "opening", status: 0 }));
  world.alive(b, flow(1, bucket, { state: "none" })); // a change says nothing of the state
  world.run(TOLD_MS);
  expect(told(world)).toEqual([0, 0, 0]);
  world.own(b, [...b.owned, bucket]);
  world.own(
    a,
    [...a.owned].filter((each) => each !== bucket),
  );
  world.run(2 * TOLD_MS);
  expect(told(world)).toEqual([1, 1, 1]);
  expect(world.differences()).toEqual([]);
});

test.each([
  ["has ended by then", 0],
  ["was of an owner before", LINGER_MS],
])("but not one that %s", (_, waitMs) => {
  const world = settled(32, 2);
  const [a, b] = world.boxes;
  const bucket = bucketOf(a);
  world.alive(b, flow(1, bucket));
  world.run(10);
  if (waitMs === 0) world.gone(b, flow(1, bucket));
  world.run(waitMs + 10);
  world.own(b, [...b.owned, bucket]);
  world.run(2 * TOLD_MS);
  expect(told(world)).toEqual([0, 0]);
});

describe("early ones", () => {
  const record = (index: number): Replicated => flow(index, index % 2);
  const taken = (strays: Strays, bucket: number, now: number) =>
    [...strays.takeEarly(new Set([bucket]), now)].map(([key]) => key);

  test("the oldest makes room, and is counted", () => {
    const strays = new Strays(2);
    for (let index = 0; index < 3; index++) strays.addEarly(`${index}`, record(index), index);
    expect(strays.get("0")).toBeUndefined();
    expect(strays.dropped).toBe(1);
    expect(taken(strays, 0, 3)).toEqual(["2"]);
    expect(taken(strays, 1, 3)).toEqual(["1"]);
    expect(strays.get("1")).toBeUndefined();
  });

  test("those that are too old go without a count", () => {
    const strays = new Strays();
    strays.addEarly("0", record(0), 0);
    strays.addEarly("2", record(2), 1);
    strays.addEarly("4", record(4), LINGER_MS);
    expect([strays.get("0"), strays.dropped]).toEqual([undefined, 0]);
    expect(taken(strays, 0, LINGER_MS + 1)).toEqual(["4"]);
  });
});
