/** Schedules that found something, shrunk; each with one line of what it was. */
import { CALM, type Cut, type Plan, type SimSettings, type Workload } from "./plan.js";

export interface Regression {
  readonly what: string;
  /** The mutant that brings the bug back; null: it was one of the checkers. */
  readonly mutant: string | null;
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

/** Node 1 here, nodes 2 and 3 there. */
const APART: readonly Cut[] = [2, 3].flatMap((id): Cut[] => [
  [1, id],
  [id, 1],
]);

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
  {
    what: "a node that was followed before its twin was is followed again, and has not ended",
    mutant: null,
    plan: {
      ...{ seed: 37, nodes: 3, faultyMs: 24_000, settings: SETTINGS, workload: WORKLOAD },
      network: CALM,
      faults: [
        { kind: "crash", atMs: 6000, forMs: 100, node: 2, isMachine: false },
        { kind: "narrow", atMs: 6000, forMs: 12_000, node: 2, most: 0 },
        { kind: "twin", atMs: 9000, forMs: 4000, node: 2 },
      ],
    },
  },
  {
    what: "a bucket stays where it is while its flows find no room elsewhere",
    mutant: null,
    plan: {
      ...{ seed: 28, nodes: 3, faultyMs: 34_000, network: CALM },
      settings: { ...SETTINGS, flowsMax: 16 },
      workload: { ...WORKLOAD, nat: 0, opensPerSecond: 3, lifeMs: 60_000 },
      faults: [
        { kind: "partition", atMs: 5000, forMs: 15_000, cuts: APART, link: -1 },
        { kind: "crash", atMs: 26_000, forMs: 4000, node: 3, isMachine: true },
      ],
    },
  },
];
