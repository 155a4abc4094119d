/**
 * A bounded slice of the simulator: fixed regressions, a range of seeds, replay,
 * and some of the deliberate bugs. `npm run simulate` does more of it, see docs/RELIABILITY.md.
 */
import { describe, expect, test } from "vitest";
import { MUTANTS, withMutant } from "./mutants.js";
import { BadInput, readOptions } from "./options.js";
import { planOf } from "./plan.js";
import { REGRESSIONS } from "./regressions.js";
import { type Outcome, runPlan } from "./run.js";
import { shrink } from "./shrink.js";

const NODES = 4;
const MINUTES = 1;
/** The seeds of the slice; other ranges by command. */
const SEEDS = 12;
/** Processor time for making a schedule shorter, milliseconds. */
const SHRINK_MS = 8000;

const commandOf = (seeds: string | number, rest = "") =>
  `npm run simulate -- --seeds ${seeds} --nodes ${NODES} --minutes ${MINUTES}${rest}`;

const endOf = ({ seed, verdict, invariant, message }: Outcome) =>
  verdict === "ok" ? "ok" : `seed ${seed}: ${verdict} ${invariant}: ${message}`;

test("a range of seeds: nothing that is never allowed, and all is well in quiet", () => {
  console.log(commandOf(`1..${SEEDS}`));
  for (let seed = 1; seed <= SEEDS; seed++) {
    expect(endOf(runPlan(planOf(seed, NODES, MINUTES)))).toBe("ok");
  }
}, 180_000);

test.each([2, NODES])(
  "the same where %i nodes have cold replicas",
  (cold) => {
    console.log(commandOf(`1..${SEEDS / 3}`, ` --cold ${cold}`));
    for (let seed = 1; seed <= SEEDS / 3; seed++) {
      expect(endOf(runPlan(planOf(seed, NODES, MINUTES, cold)))).toBe("ok");
    }
  },
  180_000,
);

test.each(REGRESSIONS)(
  "regression: $what",
  ({ plan, mutant }) => {
    expect(endOf(runPlan(plan))).toBe("ok");
    if (mutant === null) return;
    expect(withMutant(mutant, (twists) => runPlan(plan, { twists }).verdict)).not.toBe("ok");
  },
  120_000,
);

test("a seed replays exactly, whatever the seal; another one does not", () => {
  const plan = planOf(11, 3, 0.1);
  const again = { ...plan, settings: { ...plan.settings, seal: "aes" as const } };
  const [one, two, other] = [plan, plan, planOf(12, 3, 0.1)].map((each) => runPlan(each));
  expect(two.hash).toBe(one.hash);
  expect(other.hash).not.toBe(one.hash);
  const { datagrams, events } = runPlan(again).figures;
  expect([datagrams, events]).toEqual([one.figures.datagrams, one.figures.events]);
}, 60_000);

describe("deliberate bugs", () => {
  const caught = [
    ["seal-not-checked", "P5"],
    ["stall-ignored", "G1"],
    ["both-release", "R5"],
    ["kernel-lease-forever", "P4"],
  ] as const;
  test.each(caught)(
    "%s is caught by %s",
    (name, invariant) => {
      const found = withMutant(name, (twists) => {
        for (let seed = 1; seed <= 40; seed++) {
          const outcome = runPlan(planOf(seed, 3, 4), { twists });
          if (outcome.verdict !== "ok") return outcome.invariant;
        }
        return "survived";
      });
      expect(found).toContain(invariant);
    },
    120_000,
  );

  test("each has a name of its own and says what is wrong", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    expect(MUTANTS.filter(({ what }) => what === "")).toEqual([]);
  });

  test("a failing schedule is shrunk, fails in the same way, and is told as a time line", () => {
    withMutant("stall-ignored", (twists) => {
      for (let seed = 1; seed <= 40; seed++) {
        const plan = planOf(seed, 3, 2);
        const outcome = runPlan(plan, { twists });
        if (outcome.verdict === "ok") continue;
        const shrunk = shrink(plan, twists, SHRINK_MS);
        expect(shrunk.outcome.invariant).toBe(outcome.invariant);
        expect(shrunk.plan.faults.length).toBeLessThanOrEqual(plan.faults.length);
        expect(shrunk.plan.faults.map(({ kind }) => kind)).toContain("stall");
        expect(shrunk.timeline.join("\n")).toContain("heartbeat");
        return;
      }
      throw new Error("no seed failed");
    });
  }, 120_000);
});

test("the command line: what it takes, and what it says to the rest", () => {
  expect(readOptions(["--seeds", "7..9", "--nodes", "3"])).toMatchObject({ first: 7, last: 9 });
  expect(readOptions([])).toMatchObject({ nodes: 5, minutes: 10, task: "run" });
  for (const bad of ["--seeds=9..7", "--nodes=0", "--minutes=x", "--jobs=1.5", "--unknown", "x"]) {
    expect(() => readOptions([bad])).toThrow(BadInput);
  }
});
