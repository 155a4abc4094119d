/** Claimed buckets whose flows have to come into the kernel before their lease. */
import { describe, expect, test } from "vitest";
import { INSTALL_PATIENCE_MS } from "../../src/cluster/limits.js";
import type { Want } from "../../src/cluster/output.js";
import { type Bitmap, runsOf } from "../../src/cluster/ranges/bitmap.js";
import { settledWorld } from "./harness.js";

describe("buckets whose flows come into the kernel first", () => {
  /** A settled pair whose second node is slow: its buckets are usable when the test says so. */
  function pair(seed: number) {
    const usable = new Set<number>();
    const world = settledWorld(seed, 1);
    const slow = world.add(2, {}, { isUsable: (bucket) => usable.has(bucket) });
    const wants = () => slow.ups.filter((input): input is Want => input.kind === "want");
    return { world, slow, usable, wants };
  }
  const allow = (usable: Set<number>, first: number, last: number) => {
    for (let bucket = first; bucket <= last; bucket++) usable.add(bucket);
  };

  test("are wanted before they are claimed from a living owner, and claimed when usable", () => {
    const { world, usable, wants } = pair(21);
    world.watchGaps();
    world.run(1500);
    expect(world.accepted()).toEqual({ 1: [[0, 63]] });
    expect(runsOf(wants().at(-1)?.planned as Bitmap)).toEqual([[32, 63]]);
    allow(usable, 40, 63);
    world.run(1000);
    expect(world.accepted()).toEqual({ 1: [[0, 39]], 2: [[40, 63]] });
    expect(world.gapMs).toBe(0);
    const { claimed, planned, ticket } = wants().at(-1) as Want;
    expect([runsOf(claimed), runsOf(planned)]).toEqual([[[40, 63]], [[32, 39]]]);
    expect(ticket).toBe(wants().length);
  });

  test("of a dead node are claimed at once, and leased as they become usable", () => {
    const { world, slow, usable } = pair(22);
    allow(usable, 32, 63);
    expect(world.runUntil(3000, () => world.isSettled([1, 2]))).not.toBeNull();
    world.crash(world.machines[0]);
    world.run(400);
    const snapshot = () => slow.node?.snapshot(world.now);
    expect(snapshot()).toMatchObject({
      runs: [[0, 63]],
      leasedRuns: [[32, 63]],
      waitingBuckets: 32,
    });
    expect(world.accepted()).toEqual({ 2: [[32, 63]] });
    allow(usable, 0, 9);
    world.run(20);
    expect(world.accepted()).toEqual({
      2: [
        [0, 9],
        [32, 63],
      ],
    });
    allow(usable, 10, 31);
    world.run(20);
    expect(world.accepted()).toEqual({ 2: [[0, 63]] });
    expect(snapshot()).toMatchObject({ waitingBuckets: 0, leasedLate: 0 });
    expect(slow.events.at(-1)).toMatchObject({ name: "installed", late: 0 });
  });

  test("that never become usable are leased after a while, counted and told", () => {
    const { world, slow, usable } = pair(23);
    allow(usable, 32, 63);
    expect(world.runUntil(3000, () => world.isSettled([1, 2]))).not.toBeNull();
    world.crash(world.machines[0]);
    world.run(INSTALL_PATIENCE_MS);
    expect(world.accepted()).toEqual({ 2: [[32, 63]] });
    world.run(400);
    expect(world.accepted()).toEqual({ 2: [[0, 63]] });
    expect(slow.node?.snapshot(world.now).leasedLate).toBe(32);
    const [told] = slow.events.filter(({ name }) => name === "installed");
    expect(told).toMatchObject({ late: 32 });
  });

  test("are not given up to a node that waits, and not leased late beside who serves", () => {
    const world = settledWorld(24, 1);
    const usable = new Set<number>();
    world.passes = () => false;
    // Alone, it takes everything, and waits.
    const slow = world.add(2, {}, { isUsable: (bucket) => usable.has(bucket) });
    world.run(1000);
    expect(slow.node?.snapshot(world.now)).toMatchObject({ ownedBuckets: 64, waitingBuckets: 64 });
    world.watchGaps();
    world.passes = () => true;
    world.run(INSTALL_PATIENCE_MS + 1000);
    expect(world.accepted()).toEqual({ 1: [[0, 63]] });
    expect(slow.node?.snapshot(world.now)).toMatchObject({ leasedLate: 0 });
    allow(usable, 0, 63);
    expect(world.runUntil(1000, () => world.isSettled([1, 2]))).not.toBeNull();
    expect(world.gapMs).toBe(0);
  });
});
