/**
 * The exhaustive mode: every order of the range protocol's events in small clusters.
 *
 *     npm run simulate -- --exhaustive --nodes 2|3 [--depth D] [--scenario NAME] [--json] [--help]
 *
 * docs/RELIABILITY.md says what is checked. Exit codes: 0 nothing found, 1 not all of it looked at,
 * 2 bad input, 11 a violation.
 */
import { parseArgs } from "node:util";
import { Explorer, type Result } from "./exhaustive/explore.js";
import { FAILURE_BEATS, SCENARIOS, type ScenarioName, scenarioOf } from "./exhaustive/scenarios.js";
import type { Budget } from "./exhaustive/world.js";

export interface ExhaustiveOptions {
  readonly nodes: 2 | 3;
  /** Heartbeats in which everything is tried. */
  readonly depth: number;
  readonly scenarios: readonly ScenarioName[];
  readonly budget: Budget;
  /** `failureMs` in heartbeats. */
  readonly failureBeats?: number;
  /** Distinct worlds of one scenario at which it is given up. */
  readonly worldsMax: number;
}

export interface Report {
  readonly nodes: number;
  readonly depth: number;
  readonly budget: Budget;
  readonly results: readonly Result[];
  readonly seconds: number;
  /** Whether everything was looked at and nothing found. */
  readonly isClean: boolean;
}

/** What is tried when nothing is said: one of each fault, as deep as some minutes allow. */
export const DEPTH_DEFAULT = { 2: 7, 3: 3 } as const;
const BUDGET_DEFAULT: Record<2 | 3, Budget> = {
  2: { crash: 1, loss: 1, duplicate: 1, delay: 1 },
  3: { crash: 1, loss: 1, duplicate: 0, delay: 0 },
};
const FAULTS = ["crash", "loss", "duplicate", "delay"] as const;
const FAULTS_MAX = 3;
const WORLDS_MAX = 4_000_000;

export function runExhaustive(
  options: ExhaustiveOptions,
  onResult: (result: Result, seconds: number) => void = () => undefined,
): Report {
  const start = process.hrtime.bigint();
  const results = options.scenarios.map((name) => {
    const began = process.hrtime.bigint();
    const scenario = scenarioOf(name, options.nodes, options.budget, options.failureBeats);
    const result = new Explorer(scenario, options).run();
    onResult(result, secondsSince(began));
    return result;
  });
  const isClean = results.every(({ found, isComplete }) => !found && isComplete);
  const { nodes, depth, budget } = options;
  return { nodes, depth, budget, results, seconds: secondsSince(start), isClean };
}

function secondsSince(start: bigint): number {
  return Number((process.hrtime.bigint() - start) / 1_000_000n) / 1000;
}

const DEPTHS = Object.values(DEPTH_DEFAULT).join(", or with 3 nodes ");
const HELP = `Every order of events of the range protocol in a small cluster.

  npm run simulate -- --exhaustive --nodes 2
  npm run simulate -- --exhaustive --nodes 3 --depth 4 --scenario join --json

  --nodes 2|3         machines                                    (default 2)
  --depth D           heartbeats in which everything is tried     (default ${DEPTHS})
  --scenario NAME     ${SCENARIOS.join(", ")}; default: all
  --failure-beats F   failureMs in heartbeats, 3 to 10            (default ${FAILURE_BEATS})
  --crash, --loss, --duplicate, --delay N
                      how often at most, 0 to ${FAULTS_MAX}                (default 1; with 3 nodes
                      crash and loss 1, the others 0)
  --worlds N          give a scenario up at so many distinct ones (default ${WORLDS_MAX})
  --json              the report as JSON`;

/** Reads the command line. @throws Error with what is wrong */
export function optionsOf(argv: readonly string[]): ExhaustiveOptions & { json: boolean } {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: {
      ...{ nodes: text, depth: text, scenario: text, worlds: text },
      ...{ crash: text, loss: text, duplicate: text, delay: text },
      json: { type: "boolean", default: false },
      "failure-beats": text,
      exhaustive: { type: "boolean" },
    },
  });
  const nodes = whole("nodes", values.nodes, 2, 2, 3) as 2 | 3;
  const budget = { ...BUDGET_DEFAULT[nodes] };
  for (const fault of FAULTS)
    budget[fault] = whole(fault, values[fault], budget[fault], 0, FAULTS_MAX);
  const { scenario } = values;
  const chosen = SCENARIOS.filter((name) => scenario === undefined || name === scenario);
  if (chosen.length === 0) throw new Error(`--scenario: one of ${SCENARIOS.join(", ")}`);
  return {
    nodes,
    depth: whole("depth", values.depth, DEPTH_DEFAULT[nodes], 1, 50),
    scenarios: chosen,
    budget,
    failureBeats: whole("failure-beats", values["failure-beats"], FAILURE_BEATS, 3, 10),
    worldsMax: whole("worlds", values.worlds, WORLDS_MAX, 1, 100_000_000),
    json: values.json,
  };
}

function whole(name: string, text: string | undefined, preset: number, min: number, max: number) {
  const value = text === undefined ? preset : Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Error(`--${name}: a whole number from ${min} to ${max}`);
}

function resultText(result: Result, seconds: number): string {
  const { scenario, visited, distinct, paths, steps, nodeSteps, overlapBeats } = result;
  const figures = [
    `${visited} visited`,
    `${distinct} distinct`,
    `${paths > 1e9 ? paths.toExponential(1) : paths} paths of up to ${steps} steps`,
    `${nodeSteps} steps of a node`,
    `overlap ${overlapBeats} heartbeats at most`,
    `${seconds.toFixed(1)} s`,
  ];
  const end = result.found ? "VIOLATION" : result.isComplete ? "ok" : "GIVEN UP";
  return `${scenario.padEnd(15)} ${end}  ${figures.join(", ")}`;
}

/** Runs the command; returns its exit code. */
export function main(argv: readonly string[]): number {
  if (argv.includes("--help")) {
    console.log(HELP);
    return 0;
  }
  let options: ReturnType<typeof optionsOf>;
  try {
    options = optionsOf(argv);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  const report = runExhaustive(options, (result, seconds) => {
    if (options.json) return;
    console.log(resultText(result, seconds));
    if (!result.found) return;
    console.log(result.found.timeLine.join("\n"));
    console.log(result.found.message);
  });
  if (options.json) console.log(JSON.stringify(report));
  else
    console.log(
      `${report.nodes} nodes, ${report.depth} heartbeats, ${report.seconds.toFixed(1)} s`,
    );
  if (report.results.some(({ found }) => found)) return 11;
  return report.isClean ? 0 : 1;
}
