/**
 * C3, no ghosts: somebody empties the connection tracking of all nodes at once (`conntrack -F`).
 * No node may put back what its own kernel has lost too.
 */
import { expect, test } from "vitest";
import type { Box } from "./net.js";
import { open, settled, TOLD_MS } from "./settled.js";
import type { FlowWorld } from "./world.js";

const FLOWS = 200;
/** Longer than a replica waits before it is created again, and than digests need to go around. */
const LATER_MS = 20_000;

/** Three nodes, all flows in buckets of the first. */
function filled(seed: number): FlowWorld {
  const world = settled(seed, 3);
  for (let index = 1; index <= FLOWS; index++) open(world, world.boxes[0], index);
  world.run(TOLD_MS + 100);
  expect(world.boxes.map(({ kernel }) => kernel.size)).toEqual([FLOWS, FLOWS, FLOWS]);
  return world;
}

function flush(world: FlowWorld, boxes: readonly Box[]): void {
  for (const box of boxes) for (const record of [...box.kernel.values()]) world.gone(box, record);
}

/** Runs on; returns how many flows the kernels had at most. */
function mostIn(world: FlowWorld, ms: number): number {
  let most = 0;
  for (const end = world.now + ms; world.now < end; ) {
    world.run(10);
    most = Math.max(most, ...world.boxes.map(({ kernel }) => kernel.size));
  }
  return most;
}

test("all kernels are emptied: no flow comes back", () => {
  const world = filled(1);
  flush(world, world.boxes);
  expect(mostIn(world, LATER_MS)).toBe(0);
  expect(world.differences()).toEqual([]);
});

test("nor where all events of it were lost, and the owner reads its table last", () => {
  const world = filled(2);
  const [owner, ...peers] = world.boxes;
  for (const box of world.boxes) box.isDeaf = true;
  flush(world, world.boxes);
  for (const peer of peers) peer.isDeaf = false;
  world.run(100);
  owner.isDeaf = false;
  expect(mostIn(world, LATER_MS)).toBe(0);
  expect(world.differences()).toEqual([]);
});

test("nor where the owner is degraded for longer than a replica waits", () => {
  const world = filled(3);
  const [owner] = world.boxes;
  for (const box of world.boxes) box.isDeaf = true;
  flush(world, world.boxes);
  // The owner's table is read again and again and never arrives.
  const dumps = owner.sync?.onDump;
  if (owner.sync) owner.sync.onDump = () => [];
  for (const box of world.boxes) box.isDeaf = false;
  expect(mostIn(world, 4000)).toBe(0);
  if (owner.sync && dumps) owner.sync.onDump = dumps;
  expect(mostIn(world, LATER_MS)).toBe(0);
  expect(world.differences()).toEqual([]);
});

test("nor where the owner gives its range up before it could tell", () => {
  const world = filled(4);
  const [owner] = world.boxes;
  const had = [...owner.owned];
  flush(world, world.boxes);
  const events = owner.events.splice(0);
  world.act(owner, (sync) => sync.onEvents(events, world.now));
  world.own(owner, []);
  world.own(owner, had);
  expect(mostIn(world, LATER_MS)).toBe(0);
  expect(world.differences()).toEqual([]);
});

test("a replica that only its own kernel has lost does come back", () => {
  const world = filled(5);
  flush(world, [world.boxes[1]]);
  world.run(LATER_MS);
  expect(world.boxes.map(({ kernel }) => kernel.size)).toEqual([FLOWS, FLOWS, FLOWS]);
});
