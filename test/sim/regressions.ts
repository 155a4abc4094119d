/** Schedules that found something, shrunk; each with one line of what it was. */
import { CALM, type Cut, type Fault, type Plan, type SimSettings, type Workload } from "./plan.js";

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
  ...{ hopMs: 0, hearMs: 0, queueMs: 0 },
};

const WORKLOAD: Workload = {
  ...{ opensPerSecond: 0.5, nat: 1, udp: 0, short: 0.1, idle: 0.05, unanswered: 0 },
  ...{ gapMs: 500, lifeMs: 10_000 },
};

function bothWays(...pairs: readonly Cut[]): Cut[] {
  return pairs.flatMap(([a, b]): Cut[] => [
    [a, b],
    [b, a],
  ]);
}

/** Buckets go and come back, by plan. */
const DRAINS: readonly Fault[] = [6000, 16_000, 26_000].map((atMs) => {
  return { kind: "drain", atMs, forMs: 4000, node: 3 };
});
const BUSY: Workload = { ...WORKLOAD, nat: 0, opensPerSecond: 20 };

export const REGRESSIONS: readonly Regression[] = [
  {
    what: "a flow that was let in before replication heard of its bucket was told to nobody",
    mutant: "early-ignored",
    plan: {
      ...{ seed: 4, nodes: 3, faultyMs: 36_000, network: CALM, faults: DRAINS },
      settings: { ...SETTINGS, threadMs: 0, hopMs: 300, hearMs: 10 },
      workload: { ...BUSY, unanswered: 0.5, lifeMs: 3000 },
    },
  },
  {
    what: "a first packet that waited was let in after its answer, and its flow was INVALID",
    mutant: "answer-not-passed-on",
    plan: {
      ...{ seed: 8, nodes: 3, faultyMs: 36_000, faults: DRAINS },
      network: { ...CALM, delayMs: [40, 20] },
      settings: { ...SETTINGS, threadMs: 0, queueMs: 300 },
      workload: { ...BUSY, idle: 1, lifeMs: 5000 },
    },
  },
  {
    what: "a node whose control thread stands still does not keep the others from being deserted",
    mutant: null,
    plan: {
      ...{ seed: 389, nodes: 5, faultyMs: 44_000, network: CALM },
      settings: { ...SETTINGS, isolation: "majority" },
      workload: { ...WORKLOAD, nat: 0, opensPerSecond: 3 },
      faults: [
        {
          ...{ kind: "partition", atMs: 5000, forMs: 18_800, link: -1 },
          cuts: bothWays([1, 3], [1, 4], [1, 5], [2, 3], [2, 4], [2, 5]),
        },
        { kind: "stall", atMs: 5800, forMs: 38_000, node: 5, thread: "control" },
      ],
    },
  },
  {
    what: "a node whose sync thread stands still believes that it has all flows, and takes buckets",
    mutant: "answer-not-awaited",
    plan: {
      ...{ seed: 47, nodes: 3, faultyMs: 44_000, settings: SETTINGS, network: CALM },
      workload: { ...WORKLOAD, nat: 0, opensPerSecond: 3, lifeMs: 60_000 },
      faults: [
        { kind: "stall", atMs: 8000, forMs: 30_000, node: 3, thread: "sync" },
        { kind: "drain", atMs: 28_000, forMs: 8000, node: 2 },
      ],
    },
  },
  {
    what: "after a sleep, frames of the former incarnation left under the new one",
    mutant: "stale-thread",
    plan: {
      ...{ seed: 27, nodes: 5, faultyMs: 42_000, settings: SETTINGS, workload: WORKLOAD },
      network: CALM,
      faults: [{ kind: "suspend", atMs: 8599, forMs: 4583, node: 5 }],
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
        { kind: "partition", atMs: 5000, forMs: 15_000, cuts: bothWays([1, 2], [1, 3]), link: -1 },
        { kind: "crash", atMs: 26_000, forMs: 4000, node: 3, isMachine: true },
      ],
    },
  },
  {
    what: "a flow that an heir without it had ended stays away from those who heard so",
    mutant: "tombstone-blocks-repair",
    plan: {
      ...{ seed: 134, nodes: 3, faultyMs: 24_000, settings: SETTINGS, network: CALM },
      workload: { ...WORKLOAD, nat: 0, opensPerSecond: 2, lifeMs: 60_000, idle: 1 },
      faults: [
        { kind: "partition", atMs: 6000, forMs: 1700, cuts: bothWays([1, 3]), link: -1 },
        { kind: "partition", atMs: 7600, forMs: 10_000, cuts: bothWays([1, 3], [2, 3]), link: -1 },
      ],
    },
  },
];
