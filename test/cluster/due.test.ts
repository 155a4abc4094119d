/** When a node wants its next tick: with the next heartbeat, unless something is under way. */
import { describe, expect, test } from "vitest";
import { TICK_MS } from "../../src/cluster/limits.js";
import { Patience } from "../../src/cluster/membership/patience.js";
import type { ClusterNode } from "../../src/cluster/node.js";
import { settledWorld } from "./harness.js";

const HEARTBEAT_MS = 50;
const FAILURE_MS = 200;

/** Ticks of node 1 in a second in which all is well or not. */
function rested(seed: number) {
  const world = settledWorld(seed, 3);
  world.run(1000);
  return { world, node: world.machines[0].node as ClusterNode };
}

describe("a node at rest", () => {
  test("has nothing to do before its next heartbeat", () => {
    const { world, node } = rested(1);
    for (let ms = 0; ms < 1000; ms++) {
      world.run(1);
      const aheadMs = node.nextDue(world.now) - world.now;
      // A beat that falls between two steps of the world is up to a step late.
      expect(aheadMs).toBeGreaterThanOrEqual(-TICK_MS);
      expect(aheadMs).toBeLessThanOrEqual(HEARTBEAT_MS);
    }
    const { said } = world.machines[0];
    const before = said.filter((kind) => kind === "send").length;
    world.run(1000);
    expect(said.filter((kind) => kind === "send").length - before).toBe(1000 / HEARTBEAT_MS);
  });

  const news: [string, (node: ClusterNode) => void][] = [
    ["a drain", (node) => node.drain()],
    ["a lost carrier", (node) => node.setFit(["eth1: no carrier"])],
    ["a stall", (node) => void node.setStalled(true, 0)],
    ["that it is to leave", (node) => void node.leave()],
  ];
  test.each(news)("%s is looked after with the next tick", (_, tell) => {
    const { world, node } = rested(2);
    tell(node);
    expect(node.nextDue(world.now)).toBe(world.now + TICK_MS);
  });

  test("a peer that falls silent is given up when its time is over, not a heartbeat later", () => {
    const { world, node } = rested(3);
    world.machines[2].node = null;
    const fell = world.now;
    world.runUntil(1000, () => node.snapshot(world.now).peers.length === 1);
    expect(world.now - fell).toBeLessThanOrEqual(FAILURE_MS + 2 * TICK_MS);
  });
});

describe("silence", () => {
  test("is judged by a tick that comes shortly after another", () => {
    const patience = new Patience(HEARTBEAT_MS, 0);
    expect(patience.nextLook(200, 100)).toBe(200 - TICK_MS);
    expect(patience.nextLook(200, 195)).toBe(200);
    expect(patience.nextLook(200, 200)).toBe(200 + TICK_MS);
    expect(patience.nextLook(Number.POSITIVE_INFINITY, 5)).toBe(Number.POSITIVE_INFINITY);
  });

  test("is left to the next tick by one that came late, a heartbeat after the last at most", () => {
    const patience = new Patience(HEARTBEAT_MS, 0);
    const steps: [atMs: number, mayJudge: boolean][] = [
      [10, true],
      [60, true],
      [121, false],
      [122, true],
      [500, false],
      [900, true], // it must not be put off for ever
    ];
    for (const [atMs, mayJudge] of steps) expect(patience.mayJudge(atMs)).toBe(mayJudge);
  });
});
