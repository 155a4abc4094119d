/** A few nodes that have settled, and what the tests ask of them. */
import type { Flow } from "../../../src/cluster/flows/record.js";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { flow } from "./flows.js";
import type { Box } from "./net.js";
import { FlowWorld } from "./world.js";

export const WINDOW_MS = 250;
/** A tick, the way, and the receiver's turn. */
export const TOLD_MS = WINDOW_MS + 20;

export function settled(seed: number, count: number, settings = {}): FlowWorld {
  const world = new FlowWorld(seed, 16, settings);
  for (let id = 1; id <= count; id++) world.add(id);
  world.run(3000);
  return world;
}

/** A bucket that only `box` owns. */
export const bucketOf = (box: Box) => [...box.owned][0];

/** A flow that the kernel of `box` has from now on. */
export function open(world: FlowWorld, box: Box, index: number, own: Partial<Flow> = {}): Flow {
  const record = flow(index, bucketOf(box), own);
  world.alive(box, record);
  return record;
}

export const counters = (world: FlowWorld, box: Box) => box.sync?.health(world.now).counters ?? {};
export const has = (box: Box, record: Flow) => box.kernel.has(keyOf(record));
