/** A resync that somebody asked for. */
import { expect, test } from "vitest";
import { KIND } from "../../../src/cluster/frame/kind.js";
import { RESYNC_PATIENCE_MS, TABLE_PATIENCE_MS } from "../../../src/cluster/limits.js";
import type { Box } from "./net.js";
import { has, open, settled, TOLD_MS } from "./settled.js";
import type { FlowWorld } from "./world.js";

const FLOWS = 400;

/** Node `a` of three, all with flows. */
function busy(seed: number): [FlowWorld, Box, Box, Box] {
  const world = settled(seed, 3);
  const [a, b, c] = world.boxes;
  for (let index = 0; index < FLOWS; index++) open(world, index % 2 === 0 ? b : c, index);
  world.run(3 * TOLD_MS);
  return [world, a, b, c];
}

const begin = (world: FlowWorld, box: Box) => world.act(box, (sync) => sync.onResync(world.now));
const report = (world: FlowWorld, box: Box) => box.sync?.health(world.now).resync ?? null;

test("fetches the tables of all peers and the kernel's, and ends", () => {
  const [world, a] = busy(51);
  expect(report(world, a)).toBeNull();
  begin(world, a);
  expect(report(world, a)).toMatchObject({
    ...{ number: 1, state: "running", waitsFor: ["kernel", "node 2", "node 3"] },
  });
  const took = world.runUntil(5000, () => report(world, a)?.state === "done");
  expect(took).not.toBeNull();
  expect(report(world, a)).toMatchObject({ number: 1, reason: "", waitsFor: [] });
  expect(report(world, a)?.flows).toBe(report(world, a)?.flowsExpected);
  expect(a.sync?.health(world.now).peers.map(({ outOfSync }) => outOfSync)).toEqual([0, 0]);
  expect(a.told.slice(-1)).toEqual(["resync"]);
  world.run(1000);
  expect(world.differences()).toEqual([]);
});

test("puts right what is wrong here although every sequence number agrees", () => {
  const [world, a] = busy(52);
  const entry = [...(a.sync?.shelf.table.all() ?? [])].find(({ record }) => {
    return !a.owned.has(record.bucket);
  });
  if (!entry) throw new Error("no replica");
  a.sync?.shelf.table.remove(entry);
  world.gone(a, entry.record);
  begin(world, a);
  world.runUntil(5000, () => report(world, a)?.state === "done");
  world.run(100);
  expect(has(a, entry.record as never)).toBe(true);
});

test("a second one while the first runs is the same one", () => {
  const [world, a] = busy(53);
  begin(world, a);
  world.run(5);
  begin(world, a);
  expect(report(world, a)?.number).toBe(1);
  world.runUntil(5000, () => report(world, a)?.state === "done");
  begin(world, a);
  expect(report(world, a)).toMatchObject({ number: 2, state: "running" });
});

test("fails where a peer does not send its table, and says which", () => {
  const [world, a, b] = busy(54);
  world.passes = (from, to, body) => !(from === b && to === a && body[0] === KIND.start);
  begin(world, a);
  world.run(TABLE_PATIENCE_MS + 500);
  expect(report(world, a)).toMatchObject({
    ...{ state: "failed", reason: "the table of node 2 does not move on" },
  });
});

test("fails where the kernel does not answer", () => {
  const [world, a] = busy(55);
  world.act(a, (sync) => sync.onResync(world.now).filter(({ kind }) => kind !== "dump"));
  const deaf = () =>
    world.act(a, (sync) => sync.onTick(world.now).filter((o) => o.kind !== "dump"));
  for (let at = 0; at < RESYNC_PATIENCE_MS + 100; at += 1) {
    deaf();
    world.run(1);
  }
  expect(report(world, a)).toMatchObject({
    ...{ state: "failed", reason: "the kernel's table could not be read" },
  });
});

test("does not wait for a peer that dies meanwhile", () => {
  const [world, a, b] = busy(56);
  world.passes = (from) => from !== b;
  begin(world, a);
  world.run(100);
  world.crash(b);
  expect(world.runUntil(3000, () => report(world, a)?.state === "done")).not.toBeNull();
});
