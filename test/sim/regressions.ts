/** Schedules that found something, shrunk; each with one line of what it was. */
import { CALM, type Plan, type SimSettings, type Workload } from "./plan.js";

export interface Regression {
  readonly what: string;
  /** The mutant that brings the bug back. */
  readonly mutant: string;
  readonly plan: Plan;
}

const SETTINGS: SimSettings = {
  ...{ heartbeatMs: 400, failureMs: 2000, tickMs: 40, buckets: 64, links: 1 },
  ...{ isolation: "serve", windowMs: 0, frames: 4096, flowsMax: 4096, queueMax: 1024 },
  ...{ eventsMax: 256, seal: "cheap", isWrapping: false, threadMs: 5, drift: 0 },
};

const WORKLOAD: Workload = {
  ...{ opensPerSecond: 0.5, nat: 1, udp: 0, short: 0.1, idle: 0.05, unanswered: 0 },
  ...{ gapMs: 500, lifeMs: 10_000 },
};

export const REGRESSIONS: readonly Regression[] = [
  {
    what: "after a sleep, frames of the former incarnation left under the new one",
    mutant: "stale-thread",
    plan: {
      ...{ seed: 12, nodes: 5, faultyMs: 42_000, settings: SETTINGS, workload: WORKLOAD },
      network: CALM,
      faults: [{ kind: "suspend", atMs: 6250, forMs: 3411, node: 4 }],
    },
  },
];
