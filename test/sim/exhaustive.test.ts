/**
 * A slice of the exhaustive search that fits beside other tests, and the proof that it can fail.
 * `npm run simulate -- --exhaustive` looks further.
 */
import { describe, expect, test } from "vitest";
import { seeded } from "../cluster/machine.js";
import { Explorer, type Found } from "./exhaustive/explore.js";
import { fingerprint } from "./exhaustive/fork.js";
import { MUTANTS } from "./exhaustive/mutants.js";
import { SCENARIOS, scenarioOf } from "./exhaustive/scenarios.js";
import { Stage } from "./exhaustive/step.js";
import { actionsOf, keyOf, type World } from "./exhaustive/world.js";
import { optionsOf, runExhaustive } from "./exhaustive.js";

const ONE_OF_EACH = { crash: 1, loss: 1, duplicate: 1, delay: 1 };
const CRASH_AND_LOSS = { crash: 1, loss: 1, duplicate: 0, delay: 0 };

const NO_FAULT = { crash: 0, loss: 0, duplicate: 0, delay: 0 };
const CRASH = { ...NO_FAULT, crash: 1 };

/** Where a deliberate bug is looked for, until it is found. */
const HUNTS = [
  ["drain", 2, ONE_OF_EACH],
  ["join-and-drain", 3, NO_FAULT],
  ["quiet", 3, CRASH],
] as const;

describe("every order of events", () => {
  test("of two nodes, with one crash, one datagram lost, one doubled and one late", () => {
    const report = runExhaustive({
      ...{ nodes: 2, depth: 3, scenarios: SCENARIOS, budget: ONE_OF_EACH, worldsMax: 200_000 },
    });
    for (const { scenario, visited, distinct, paths } of report.results) {
      console.log(`2 nodes, ${scenario}: ${visited} visited, ${distinct} distinct, ${paths} paths`);
    }
    expect(report.results.map(({ found }) => found?.timeLine ?? "ok")).toEqual(
      SCENARIOS.map(() => "ok"),
    );
    expect(report.isClean).toBe(true);
  }, 120_000);

  test("of two nodes, one drained, where one lost and one late datagram look like a death", () => {
    const budget = { crash: 0, loss: 1, duplicate: 0, delay: 1 };
    const scenarios = ["drain", "join-and-drain"] as const;
    const report = runExhaustive({
      ...{ nodes: 2, depth: 3, scenarios, budget, failureBeats: 3, worldsMax: 200_000 },
    });
    expect(report.results.map(({ found }) => found?.timeLine ?? "ok")).toEqual(["ok", "ok"]);
    expect(report.isClean).toBe(true);
  }, 120_000);

  test("of three nodes, with one crash and one datagram lost", () => {
    const scenarios = ["join"] as const;
    const report = runExhaustive({
      ...{ nodes: 3, depth: 2, scenarios, budget: CRASH_AND_LOSS, worldsMax: 200_000 },
    });
    expect(report.results.map(({ found }) => found?.timeLine ?? "ok")).toEqual(["ok"]);
    expect(report.isClean).toBe(true);
    for (const { visited, distinct } of report.results) expect(visited).toBeGreaterThan(distinct);
  }, 120_000);
});

describe("it can fail", () => {
  test.each(Object.keys(MUTANTS))(
    "%s is found",
    (name) => {
      const undo = MUTANTS[name]();
      try {
        let found: Found | null = null;
        for (const [scenario, nodes, budget] of HUNTS) {
          const limits = { depth: 2, worldsMax: 50_000 };
          found ??= new Explorer(scenarioOf(scenario, nodes, budget), limits).run().found;
        }
        expect(found?.message).toMatch(/./);
      } finally {
        undo();
      }
    },
    120_000,
  );

  test("a search that is given up says so", () => {
    const report = runExhaustive({
      ...{ nodes: 3, depth: 3, scenarios: ["join"], budget: CRASH_AND_LOSS, worldsMax: 500 },
    });
    expect([report.isClean, report.results[0].isComplete]).toEqual([false, false]);
  });
});

describe("what it rests on", () => {
  test("a way taken with forks and memory ends as one that was never forked", () => {
    const random = seeded(4);
    for (let way = 0; way < 8; way++) {
      const scenario = scenarioOf("join-and-drain", 3, ONE_OF_EACH);
      const branching = new Stage(scenario.buckets);
      let world = scenario.start(branching);
      const actions = [];
      for (let step = 0; step < 40; step++) {
        const choices = actionsOf(world);
        for (const other of choices) branching.apply(world, other); // leave it in every way
        const action = choices[Math.floor(random() * choices.length)];
        actions.push(action);
        world = branching.apply(world, action);
      }
      const straight = new Stage(scenario.buckets);
      let alone = scenario.start(straight);
      const texts = (one: World) => one.machines.map((it) => it && fingerprint(it.machine));
      for (const action of actions) {
        // Its own numbers for datagrams: look them up by what they say.
        const translated =
          "packet" in action
            ? { ...action, packet: straight.packetLike(branching, action.packet) }
            : action;
        alone = straight.apply(alone, translated);
      }
      expect(texts(alone)).toEqual(texts(world));
    }
  });

  test("equal worlds have equal keys, and another datagram or fault another one", () => {
    const scenario = scenarioOf("quiet", 2, ONE_OF_EACH);
    const stage = new Stage(scenario.buckets);
    const world = scenario.start(stage);
    const both = (first: number, second: number) => {
      const once = stage.apply(world, { kind: "tick", node: first });
      return stage.apply(once, { kind: "tick", node: second });
    };
    expect(keyOf(both(1, 2))).toBe(keyOf(both(2, 1)));
    const ticked = both(1, 2);
    const keys = actionsOf(ticked).map((action) => keyOf(stage.apply(ticked, action)));
    expect(new Set([keyOf(ticked), ...keys]).size).toBe(keys.length + 1);
  });
});

describe("its command line", () => {
  test.each([
    [["--nodes", "4"], /--nodes: a whole number from 2 to 3/],
    [["--depth", "0"], /--depth/],
    [["--scenario", "party"], /--scenario: one of/],
    [["--loss", "many"], /--loss/],
    [["--what"], /--what/],
  ])("%j is refused", (argv, why) => {
    expect(() => optionsOf(argv)).toThrow(why);
  });
});
