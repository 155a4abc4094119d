/**
 * Random faults, then quiet. In the first phase nothing may happen that is never allowed; in the
 * second the cluster must come back by itself. A failure names its seed.
 */
import { expect, test } from "vitest";
import { World } from "./harness.js";
import type { Machine } from "./machine.js";

const SEEDS = 240;
const QUIET_MS_MAX = 4000;
const PAUSE_MS_MAX = 620;

test(`${SEEDS} seeds of faults: safe during, settled after`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new World(seed * 2654435761);
    const count = 2 + (seed % 5);
    for (let id = 1; id <= count; id++) world.add(id * 3);
    world.run(800);
    const epochs = new Map<Machine, { incarnation: bigint; epoch: number }>();
    for (let round = 0; round < 8; round++) {
      disturb(world);
      world.run(30 + Math.floor(world.random() * 400));
      for (const machine of world.machines) checkAlways(world, machine, epochs, seed);
    }
    calm(world);
    // A pause may outlast the calm, and losses count until failureMs: settled now is not for good.
    world.run(PAUSE_MS_MAX);
    const ids = world.machines.map((machine) => machine.id);
    const ms = world.runUntil(QUIET_MS_MAX, () => world.isSettled(ids));
    expect([seed, ms === null ? world.accepted() : "settled"]).toEqual([seed, "settled"]);
    world.watchGaps();
    world.run(500);
    expect([seed, world.gapMs, world.isSettled(ids)]).toEqual([seed, 0, true]);
  }
}, 60_000);

/** One random fault, or the end of some. */
function disturb(world: World): void {
  const machine = world.machines[Math.floor(world.random() * world.machines.length)];
  const ways = [
    () => world.crash(machine),
    () => {
      if (!machine.node) world.start(machine);
    },
    () => world.pause(machine, 20 + Math.floor(world.random() * (PAUSE_MS_MAX - 20))),
    () => machine.node?.drain(),
    () => machine.node?.join(),
    () => {
      world.passes = (from, to) => from !== machine.id && to !== machine.id;
    },
    () => {
      world.passes = (from) => from !== machine.id;
    },
    () => {
      world.passes = () => true;
    },
    () => {
      Object.assign(world.faults, { loss: world.random() * 0.3, duplication: world.random() / 2 });
    },
    () => {
      world.faults.delayMs = [0, world.random() * 100];
    },
  ];
  ways[Math.floor(world.random() * ways.length)]();
}

function calm(world: World): void {
  world.passes = () => true;
  Object.assign(world.faults, { loss: 0, duplication: 0, delayMs: [1, 2] });
  for (const machine of world.machines) {
    if (!machine.node) world.start(machine);
    machine.node?.join();
  }
}

/** What holds at any moment: no fatal, no going back of the epoch, no lease beyond its length. */
function checkAlways(
  world: World,
  machine: Machine,
  epochs: Map<Machine, { incarnation: bigint; epoch: number }>,
  seed: number,
): void {
  if (!machine.node) return;
  expect([seed, machine.fatal]).toEqual([seed, ""]);
  const { incarnation, epoch } = machine.node.snapshot(world.now);
  const before = epochs.get(machine);
  if (before?.incarnation === incarnation) expect(epoch).toBeGreaterThanOrEqual(before.epoch);
  epochs.set(machine, { incarnation, epoch });
  expect(machine.leaseUntilMs).toBeLessThanOrEqual(world.now + machine.settings.leaseMs);
}
