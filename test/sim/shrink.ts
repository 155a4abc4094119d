/**
 * The shortest schedule of faults that is found to fail in the same way: parts of the schedule are
 * left out as long as the invariant still breaks (delta debugging), within a bounded time.
 */
import type { Fault, Plan } from "./plan.js";
import { CALM } from "./plan.js";
import { type Outcome, runPlan } from "./run.js";
import { Timeline } from "./timeline.js";
import type { Twists } from "./world.js";

export interface Shrunk {
  readonly plan: Plan;
  readonly outcome: Outcome;
  readonly timeline: readonly string[];
  readonly runs: number;
}

const CPU_MS_MAX = 90_000;
const TIMELINE_LINES = 400;
/** Beyond the violation a run needs no time. */
const BEYOND_MS = 1;

/** @param cpuMsMax processor time, milliseconds; what is found by then is the answer */
export function shrink(plan: Plan, twists: Twists, cpuMsMax = CPU_MS_MAX): Shrunk {
  const first = runPlan(plan, { twists });
  let [best, outcome, runs, cpuMs] = [plan, first, 1, first.cpuMs];
  const tryOut = (candidate: Plan): boolean => {
    if (cpuMs > cpuMsMax) return false;
    const tried = runPlan(candidate, { twists });
    runs += 1;
    cpuMs += tried.cpuMs;
    if (tried.verdict !== first.verdict || tried.invariant !== first.invariant) return false;
    [best, outcome] = [candidate, tried];
    return true;
  };
  for (const simpler of simplifications(plan, first)) tryOut({ ...best, ...simpler });
  for (let parts = 2; best.faults.length > 0 && cpuMs <= cpuMsMax; ) {
    const size = Math.ceil(best.faults.length / parts);
    const isSmaller = pieces(best.faults, size).some((faults) => tryOut({ ...best, faults }));
    if (isSmaller) parts = Math.max(2, parts - 1);
    else if (size === 1) break;
    else parts = Math.min(best.faults.length, parts * 2);
  }
  const timeline = new Timeline(TIMELINE_LINES);
  runPlan(best, { twists, timeline });
  return { plan: best, outcome, timeline: timeline.lines.slice(-TIMELINE_LINES), runs };
}

/** Ways to make a plan simpler as a whole. */
function simplifications(plan: Plan, { verdict, atMs }: Outcome): Partial<Plan>[] {
  const { faults, faultyMs, settings } = plan;
  const end = verdict === "stuck" ? faultyMs : Math.min(faultyMs, atMs + BEYOND_MS);
  return [
    { faultyMs: end, faults: faults.filter(({ atMs: at }) => at < end) },
    { network: CALM },
    { settings: { ...settings, drift: 0, threadMs: 0, hopMs: 0, hearMs: 0, queueMs: 0 } },
  ];
}

/** The list with one piece of `size` left out, for each piece. */
function pieces(faults: readonly Fault[], size: number): Fault[][] {
  return Array.from({ length: Math.ceil(faults.length / size) }, (_, index) =>
    faults.filter((_fault, at) => at < index * size || at >= (index + 1) * size),
  );
}
