/** Flows that the filters leave out, and flows that leave them. */
import { expect, test } from "vitest";
import type { Replicated } from "../../../src/cluster/flows/record.js";
import { inScope } from "../../../src/cluster/sync/scope.js";
import { has, open, settled, TOLD_MS } from "./settled.js";

const isWanted = inScope({
  states: ["established"],
  ignore: [{ address: "10.0.1.0", family: 4, length: 24 }],
  only: [],
});

/** Flow number 256 to 511 is from 10.0.1.0/24. */
const IGNORED = 256;

test("what the filters leave out is not told, and has no place in the table", () => {
  const world = settled(61, 2, { isWanted });
  const [a, b] = world.boxes;
  const flows = [
    open(world, a, 1),
    open(world, a, IGNORED),
    open(world, a, 2, { state: "opening" }),
  ];
  world.run(2 * TOLD_MS);
  expect(flows.map((flow) => has(b, flow))).toEqual([true, false, false]);
  expect(a.sync?.shelf.table.size).toBe(1);
});

test("a connection that leaves the told states is deleted at the peers, and comes back", () => {
  const world = settled(62, 2, { isWanted });
  const [a, b] = world.boxes;
  const flow = open(world, a, 1);
  world.run(TOLD_MS);
  expect(has(b, flow)).toBe(true);
  world.alive(a, { ...flow, state: "closing" });
  world.run(50);
  expect([has(a, flow), has(b, flow)]).toEqual([true, false]);
  world.alive(a, flow);
  world.run(TOLD_MS);
  expect(has(b, flow)).toBe(true);
});

test("one that leaves them within its window was never told", () => {
  const world = settled(63, 2, { isWanted });
  const [a, b] = world.boxes;
  const flow = open(world, a, 1);
  world.run(50);
  world.alive(a, { ...flow, state: "closing" });
  world.run(2 * TOLD_MS);
  expect(has(b, flow)).toBe(false);
  expect(a.sync?.author.counters.told).toBe(0);
});

test("a peer without the filters cannot create what they leave out", () => {
  const wanting = new Map<string, (record: Replicated) => boolean>();
  const world = settled(64, 2, {
    isWanted: (record: Replicated) => wanting.get("now")?.(record) ?? true,
  });
  const [a, b] = world.boxes;
  const ignored = open(world, a, IGNORED);
  world.run(TOLD_MS - 20);
  wanting.set("now", () => false); // from now on it is the receiver's filter that is asked
  world.run(100);
  expect(has(b, ignored)).toBe(false);
});
