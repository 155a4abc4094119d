/** All of cluster/ on virtual time: what holds when nothing fails, and when something does. */
import { describe, expect, test } from "vitest";
import { settledWorld, World } from "./harness.js";

const FAILURE_MS = 200;
const HEARTBEAT_MS = 50;
const TICK_MS = 10;
/** Design bound of the gap after a death, and one tick for each of notice and safety net. */
const GAP_MS_MAX = FAILURE_MS + 2 * HEARTBEAT_MS;

const seeds = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe("start and planned moves", () => {
  test("a lone node serves everything after it has listened", () => {
    const world = new World(1);
    world.add(9);
    const ms = world.runUntil(1000, () => world.isSettled([9]));
    expect(ms).toBeGreaterThanOrEqual(FAILURE_MS + 2 * HEARTBEAT_MS);
    expect(ms).toBeLessThanOrEqual(FAILURE_MS + 2 * HEARTBEAT_MS + 4 * TICK_MS);
  });

  test("nodes started together settle to sorted, equal, disjoint ranges", () => {
    for (const seed of seeds(40)) {
      const count = 2 + (seed % 6);
      const world = settledWorld(seed, count);
      expect(world.machines.map((machine) => machine.node?.snapshot(world.now).view)).toEqual(
        world.machines.map(() => world.machines.map((machine) => machine.id)),
      );
    }
  });

  test("a join and a drain leave no bucket uncovered, for one lost datagram each", () => {
    for (const seed of seeds(60)) {
      const world = settledWorld(seed, 3);
      world.watchGaps();
      loseOne(world, seed);
      const fourth = world.add(4);
      expect(world.runUntil(2000, () => world.isSettled([1, 2, 3, 4]))).not.toBeNull();
      loseOne(world, seed * 7);
      fourth.node?.drain();
      expect(world.runUntil(2000, () => fourth.said.includes("drained"))).not.toBeNull();
      expect(world.runUntil(1000, () => world.isSettled([1, 2, 3]))).not.toBeNull();
      expect([seed, world.gapMs]).toEqual([seed, 0]);
    }
  });

  test("under loss, duplicates and reordering planned moves leave no bucket uncovered", () => {
    for (const seed of seeds(60)) {
      const world = settledWorld(seed, 3);
      Object.assign(world.faults, { loss: 0.05, duplication: 0.3, delayMs: [0, 40] });
      world.watchGaps();
      const fourth = world.add(4);
      world.run(1500);
      fourth.node?.drain();
      world.run(1500);
      fourth.node?.join();
      world.run(1000);
      expect([seed, world.gapMs]).toEqual([seed, 0]);
      Object.assign(world.faults, { loss: 0, duplication: 0, delayMs: [1, 2] });
      expect(world.runUntil(2000, () => world.isSettled([1, 2, 3, 4]))).not.toBeNull();
    }
  });

  test("the last node drains although nobody takes over", () => {
    const world = settledWorld(3, 1);
    world.machines[0].node?.drain();
    expect(world.runUntil(100, () => world.machines[0].said.includes("drained"))).not.toBeNull();
    expect(world.accepted()).toEqual({});
  });

  test("a node that leaves is replaced at once, without waiting for silence", () => {
    const world = settledWorld(4, 3);
    world.watchGaps();
    world.act(world.machines[1], (node) => node.leave());
    world.run(60);
    // As long as the message takes: the lease does not wait for the next beat.
    expect(world.gapMs).toBeLessThanOrEqual(4);
    expect(world.machines[1].said.at(-1)).toBe("left");
  });

  test("an unfit node hands over without a gap, says why, and comes back by itself", () => {
    const world = settledWorld(5, 3);
    const [, second] = world.machines;
    world.watchGaps();
    second.node?.setFit(["eth1: no carrier"]);
    expect(world.runUntil(2000, () => world.isSettled([1, 3]))).not.toBeNull();
    expect(second.node?.snapshot(world.now)).toMatchObject({
      state: "draining",
      reasons: ["eth1: no carrier"],
    });
    second.node?.setFit([]);
    expect(world.runUntil(2000, () => world.isSettled([1, 2, 3]))).not.toBeNull();
    expect(world.gapMs).toBe(0);
  });

  test("all nodes unfit at once keep serving: bad service is better than none", () => {
    const world = settledWorld(6, 3);
    world.watchGaps();
    for (const machine of world.machines) machine.node?.setFit(["probe failed"]);
    world.run(2000);
    expect(world.gapMs).toBe(0);
  });

  test("restarting all, one by one, ends settled", () => {
    const world = settledWorld(8, 4);
    world.watchGaps();
    for (const machine of world.machines) {
      machine.node?.drain();
      expect(world.runUntil(2000, () => machine.said.includes("drained"))).not.toBeNull();
      world.act(machine, (node) => node.leave());
      world.run(100);
      world.crash(machine);
      world.run(300);
      world.start(machine);
      expect(world.runUntil(3000, () => world.isSettled([1, 2, 3, 4]))).not.toBeNull();
    }
    expect(world.gapMs).toBe(0);
  });

  test("32 nodes settle, and survive a death", () => {
    const world = settledWorld(9, 32, {}, 256);
    world.watchGaps();
    world.crash(world.machines[10]);
    world.run(GAP_MS_MAX + 50);
    expect(world.gapMs).toBeLessThanOrEqual(GAP_MS_MAX);
  });
});

describe("deaths and pauses", () => {
  test("a crash is taken over within failureMs and two heartbeats", () => {
    for (const seed of seeds(80)) {
      const world = settledWorld(seed, 2 + (seed % 5));
      world.run(seed % HEARTBEAT_MS);
      world.watchGaps();
      const dead = world.machines[seed % world.machines.length];
      world.crash(dead);
      world.run(600);
      expect([seed, world.gapMs <= GAP_MS_MAX]).toEqual([seed, true]);
      const ids = world.machines.filter((machine) => machine !== dead).map(({ id }) => id);
      expect(world.runUntil(2000, () => world.isSettled(ids))).not.toBeNull();
      world.start(dead);
      expect(world.runUntil(3000, () => world.isSettled([...ids, dead.id]))).not.toBeNull();
    }
  });

  test("two crashes at once are taken over within the same bound", () => {
    for (const seed of seeds(40)) {
      const world = settledWorld(seed, 5);
      world.run(seed % HEARTBEAT_MS);
      world.watchGaps();
      world.crash(world.machines[seed % 5]);
      world.crash(world.machines[(seed + 1 + (seed % 3)) % 5]);
      world.run(600);
      expect([seed, world.gapMs <= GAP_MS_MAX]).toEqual([seed, true]);
    }
  });

  test("only the dead node's buckets move at its death", () => {
    const world = settledWorld(11, 4);
    const before = world.accepted();
    world.crash(world.machines[1]);
    world.runUntil(400, () => Object.values(world.accepted()).flat(2).length > 6);
    for (const id of [1, 3, 4]) {
      const [[first, last]] = before[id];
      const now = world.accepted()[id];
      expect(now.some((run) => run[0] <= first && run[1] >= last)).toBe(true);
    }
  });

  test("a paused node never accepts beside its successor, and comes back as another", () => {
    for (const seed of seeds(60)) {
      const world = settledWorld(seed, 3);
      const [first] = world.machines;
      const incarnation = first.node?.snapshot(world.now).incarnation;
      world.watchGaps(first);
      const pauseMs = 160 + (seed % 40) * 25;
      world.pause(first, pauseMs);
      world.run(pauseMs + 60);
      expect([seed, world.overlap]).toEqual([seed, 0]);
      expect(world.gapMs).toBeLessThanOrEqual(GAP_MS_MAX);
      expect(first.events.some((event) => event.name === "lapsed")).toBe(true);
      expect(world.runUntil(3000, () => world.isSettled([1, 2, 3]))).not.toBeNull();
      expect(first.node?.snapshot(world.now).incarnation).not.toBe(incarnation);
    }
  });

  test("a pause shorter than the lease changes nothing", () => {
    const world = settledWorld(12, 3);
    world.watchGaps(world.machines[0]);
    world.pause(world.machines[0], 90);
    world.run(500);
    expect([world.gapMs, world.overlap]).toEqual([0, 0]);
    expect(world.machines[0].events.some((event) => event.name === "lapsed")).toBe(false);
  });

  test("after a short pause nobody is judged before the queue was read", () => {
    for (const seed of seeds(20)) {
      const world = settledWorld(seed, 3);
      const [first] = world.machines;
      world.passes = (_from, to) => to !== 1;
      world.run(90);
      world.passes = () => true;
      first.events.length = 0;
      const sinceBeatMs = first.settings.leaseMs - (first.leaseUntilMs - world.now);
      world.pause(first, Math.floor(first.settings.leaseMs - sinceBeatMs));
      world.run(500);
      expect([seed, first.events]).toEqual([seed, []]);
    }
  });

  test("what a long pause left in the queue revives nobody", () => {
    const world = settledWorld(14, 2);
    const [first, second] = world.machines;
    world.pause(first, 1000);
    world.run(150);
    world.crash(second);
    world.run(870);
    expect(first.events.some((event) => event.name === "lapsed")).toBe(true);
    expect(first.node?.snapshot(world.now).peers).toEqual([]);
  });

  test("a stalled node revokes at once, is replaced, and rejoins as another incarnation", () => {
    const world = settledWorld(13, 3);
    const [, second] = world.machines;
    world.act(second, (node) => node.setStalled(true, world.now));
    expect(second.leaseUntilMs).toBe(Number.NEGATIVE_INFINITY);
    world.watchGaps();
    world.run(600);
    expect(world.gapMs).toBeLessThanOrEqual(GAP_MS_MAX);
    world.act(second, (node) => node.setStalled(false, world.now));
    expect(world.runUntil(3000, () => world.isSettled([1, 2, 3]))).not.toBeNull();
  });
});

/** Loses one datagram of this run's many, another one for each seed. */
function loseOne(world: World, seed: number): void {
  let left = 1 + (seed % 97);
  world.passes = () => {
    left -= 1;
    return left !== 0;
  };
}
