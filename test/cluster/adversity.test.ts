/** Partitions, strangers, twins, recordings: what a link can do to a cluster, on purpose or not. */
import { describe, expect, test } from "vitest";
import { settledWorld, World } from "./harness.js";
import type { Machine, Settings } from "./machine.js";

const ALL = [[0, 63]];
const FAILURE_MS = 200;

const refusedBy = (machine: Machine, world: World) => machine.node?.snapshot(world.now).refused;

/** Cuts the world in two: machines whose id is in `side`, and the others. */
function cut(world: World, side: readonly number[]): void {
  world.passes = (from, to) => side.includes(from) === side.includes(to);
}

function heal(world: World): void {
  world.passes = () => true;
}

describe("partitions", () => {
  test("two halves each own everything, without a gap after the takeover, and heal", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const world = settledWorld(seed, 4);
      cut(world, [1, 2]);
      world.run(2000);
      expect(world.accepted()).toEqual({
        1: [[0, 31]],
        2: [[32, 63]],
        3: [[0, 31]],
        4: [[32, 63]],
      });
      world.watchGaps();
      heal(world);
      expect(world.runUntil(3000, () => world.isSettled([1, 2, 3, 4]))).not.toBeNull();
      world.run(200);
      expect([seed, world.gapMs]).toEqual([seed, 0]);
    }
  });

  test("a cut in one direction only overlaps, but leaves no gap, and heals", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const world = settledWorld(seed, 3);
      world.watchGaps();
      world.passes = (from, to) => !(from === 1 && to === 2);
      world.run(1500);
      expect([seed, world.gapMs]).toEqual([seed, 0]);
      heal(world);
      expect(world.runUntil(3000, () => world.isSettled([1, 2, 3]))).not.toBeNull();
      expect([seed, world.gapMs]).toEqual([seed, 0]);
    }
  });

  test("with two links one may be lost: its age grows, nothing else happens", () => {
    const world = settledWorld(2, 3, { links: 2 });
    world.watchGaps();
    world.passes = (_from, _to, link) => link === 0;
    world.run(1000);
    expect(world.gapMs).toBe(0);
    expect(world.isSettled([1, 2, 3])).toBe(true);
    const [peer] = world.machines[0].node?.snapshot(world.now).peers ?? [];
    expect(peer.links[0].ageMs).toBeLessThan(100);
    expect(peer.links[1].ageMs).toBeGreaterThan(900);
  });

  const rules: [string, Partial<Settings>, number[], boolean][] = [
    ["serve: a lone node serves", { isolation: "serve" }, [1], true],
    ["yield: a lone node gives up", { isolation: "yield" }, [1], false],
    ["yield: two in sight of each other serve", { isolation: "yield" }, [1, 2], true],
    ["majority: one of three gives up", { isolation: "majority", size: 3 }, [1], false],
    ["majority: two of three serve", { isolation: "majority", size: 3 }, [1, 2], true],
    ["probe: a lone node whose probe fails gives up", { isolation: "probe" }, [1], false],
  ];
  test.each(rules)("%s, and all settle after the heal", (_name, settings, side, serves) => {
    const world = settledWorld(3, 3, settings);
    cut(world, side);
    world.run(1000);
    expect(Object.hasOwn(world.accepted(), 1)).toBe(serves);
    heal(world);
    expect(world.runUntil(3000, () => world.isSettled([1, 2, 3]))).not.toBeNull();
  });

  test("probe: a lone node whose probe answers goes on serving", () => {
    const world = settledWorld(4, 3, { isolation: "probe" });
    world.machines[0].node?.setProbeOk(true);
    cut(world, [1]);
    world.run(1000);
    expect(world.accepted()[1]).toEqual(ALL);
  });
});

describe("strangers on the link", () => {
  const strangers: [string, Partial<Settings>, string][] = [
    ["another secret", { secret: new Uint8Array(32).fill(8) }, "badAuth"],
    ["another cluster", { name: "other" }, "otherCluster"],
  ];
  test.each(strangers)("%s: both go on as if alone, and count", (_name, settings, counter) => {
    const world = settledWorld(5, 2);
    world.add(9, settings);
    world.run(1000);
    expect(world.accepted()).toEqual({ 1: [[0, 31]], 2: [[32, 63]], 9: ALL });
    expect(refusedBy(world.machines[0], world)).toMatchObject({ [counter]: expect.any(Number) });
    expect(refusedBy(world.machines[0], world)?.[counter as "badAuth"]).toBeGreaterThan(10);
  });

  test("a node with other settings stays joining, says why, and is told of once", () => {
    const world = settledWorld(6, 2);
    const third = world.add(3, { configDigest: 2n });
    world.run(2000);
    expect(world.isSettled([1, 2])).toBe(true);
    expect(third.node?.snapshot(world.now)).toMatchObject({
      state: "joining",
      reasons: ["active peers have other settings"],
    });
    const told = world.machines[0].events.filter((event) => event.name === "configMismatch");
    expect(told).toEqual([{ name: "configMismatch", node: 3 }]);
    expect(refusedBy(world.machines[0], world)?.otherConfig).toBeGreaterThan(10);
  });

  test("nodes of different settings that both serve never enter each other's view", () => {
    const world = new World(16);
    const pair = [world.add(1), world.add(2, { configDigest: 2n })];
    const third = world.add(3);
    cut(world, [1, 3]);
    world.run(1000);
    heal(world);
    world.run(500);
    world.crash(third); // its death makes the others look at their views again
    world.run(1000);
    const views = pair.map((machine) => machine.node?.snapshot(world.now).view);
    expect([views, world.accepted()]).toEqual([[[1], [2]], { 1: ALL, 2: ALL }]);
  });

  test("a starting node with the id of a live one gives up; the live one only counts", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const world = settledWorld(seed, 3);
      world.watchGaps();
      const twin = world.add(2);
      world.run(1000);
      expect(twin.fatal).toBe("node id 2 is used by a live node");
      expect(twin.said).not.toContain("lease");
      expect(world.machines[1].fatal).toBe("");
      // The newcomer may be gone before it could echo, and then it was only a candidate.
      const refused = refusedBy(world.machines[1], world);
      expect((refused?.twin ?? 0) + (refused?.unconfirmed ?? 0)).toBeGreaterThan(0);
      expect([world.isSettled([1, 2, 3]), world.gapMs]).toEqual([true, 0]);
    }
  });

  test("of two established nodes of one id, exactly the higher incarnation gives up", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const world = new World(seed);
      const pair = [world.add(2), world.add(2)];
      let isCut = true;
      world.passes = () => !isCut;
      world.run(1000);
      const [low, high] = pair.sort((a, b) => (incarnationOf(a) < incarnationOf(b) ? -1 : 1));
      isCut = false;
      world.run(500);
      expect([low.fatal, high.fatal]).toEqual(["", "node id 2 is used by a live node"]);
    }
  });
});

describe("recordings", () => {
  test("the recorded traffic of a dead node never makes it look alive", () => {
    const world = settledWorld(7, 3);
    const [first, second] = world.machines;
    world.isRecording = true;
    world.run(1000);
    world.isRecording = false;
    world.crash(second);
    world.run(1000);
    expect(world.isSettled([1, 3])).toBe(true);
    const fresh = world.add(4);
    for (const { from, link, bytes } of world.recorded.filter((record) => record.from === 2)) {
      expect(from).toBe(2);
      for (const machine of [first, fresh]) world.inject(machine, link, bytes);
      world.run(10);
    }
    expect(world.runUntil(2000, () => world.isSettled([1, 3, 4]))).not.toBeNull();
    expect(fresh.events.some((event) => event.name === "nodeUp" && event.node === 2)).toBe(false);
    expect(refusedBy(first, world)?.replayed).toBeGreaterThan(10);
    expect(refusedBy(fresh, world)?.unconfirmed).toBeGreaterThan(10);
  });

  test("datagrams held back until their sender is dead come too late, fresh as they look", () => {
    const world = settledWorld(10, 2);
    const [first, second] = world.machines;
    world.isRecording = true;
    world.passes = () => false;
    world.run(FAILURE_MS - 60);
    world.crash(second);
    world.run(FAILURE_MS);
    expect(first.events.filter((event) => event.name === "nodeDown").length).toBe(1);
    first.events.length = 0;
    for (const { from, link, bytes } of world.recorded) {
      if (from === 2) world.inject(first, link, bytes);
    }
    world.run(50);
    expect(first.events.filter((event) => event.name === "nodeUp")).toEqual([]);
    expect(first.node?.snapshot(world.now).view).toEqual([1]);
  });

  test("a node is not fooled by its own recordings from a former life", () => {
    const world = settledWorld(8, 2);
    const [first] = world.machines;
    world.isRecording = true;
    world.run(500);
    world.crash(first);
    world.run(500);
    world.start(first);
    for (const { from, link, bytes } of world.recorded) {
      if (from === 1) world.inject(first, link, bytes);
    }
    world.run(1500);
    expect([first.fatal, world.isSettled([1, 2])]).toEqual(["", true]);
  });

  test("noise, truncations and flipped bits are counted and change nothing", () => {
    const world = settledWorld(9, 2);
    world.isRecording = true;
    world.run(60);
    world.isRecording = false;
    const [{ bytes }] = world.recorded.filter((record) => record.from === 2);
    const [first] = world.machines;
    const before = Object.values(refusedBy(first, world) ?? {}).reduce((sum, n) => sum + n, 0);
    for (let length = 0; length < bytes.length; length++) {
      world.inject(first, 0, bytes.slice(0, length));
      const flipped = bytes.slice();
      flipped[length] ^= 1 + Math.floor(world.random() * 255);
      world.inject(first, 0, flipped);
    }
    world.run(300);
    const after = Object.values(refusedBy(first, world) ?? {}).reduce((sum, n) => sum + n, 0);
    expect(after - before).toBeGreaterThanOrEqual(2 * bytes.length);
    expect(world.isSettled([1, 2])).toBe(true);
  });
});

function incarnationOf(machine: Machine): bigint {
  return machine.node?.snapshot(0).incarnation ?? 0n;
}
