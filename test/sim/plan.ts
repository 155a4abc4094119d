/**
 * What a run does, drawn up front from its seed: settings, workload and the schedule of faults. It
 * is plain data, so a part of a schedule can be run again, and a failing one can be printed.
 */
import type { Isolation } from "../../src/cluster/membership/isolation.js";
import { drawFaults } from "./faults.js";
import { Random } from "./random.js";

/** A directed pair of node ids between which nothing passes. */
export type Cut = readonly [from: number, to: number];

export interface Network {
  readonly loss: number;
  readonly duplication: number;
  readonly corruption: number;
  /** Least delay and mean of what comes on top, milliseconds. */
  readonly delayMs: readonly [number, number];
}

/** Where a fault is of one node, `node` is its id. */
export type Fault = { readonly atMs: number; readonly forMs: number } & (
  | { readonly kind: "crash"; readonly node: number; readonly isMachine: boolean }
  | { readonly kind: "pause" | "suspend" | "deaf" | "drain" | "restart"; readonly node: number }
  | { readonly kind: "unfit" | "twin" | "newer" | "flood"; readonly node: number }
  | { readonly kind: "stall"; readonly node: number; readonly thread: ThreadName }
  | { readonly kind: "slow"; readonly node: number; readonly lateMs: number }
  | { readonly kind: "dumps"; readonly node: number; readonly dumpMs: number }
  /** Of datagrams waiting in a node's sockets, those beyond `most` are dropped. */
  | { readonly kind: "narrow"; readonly node: number; readonly most: number }
  | { readonly kind: "network"; readonly network: Network }
  /** `link` -1: all links. */
  | { readonly kind: "partition"; readonly cuts: readonly Cut[]; readonly link: number }
  | { readonly kind: "replay" | "forge"; readonly perSecond: number }
);

export type ThreadName = "control" | "sync" | "worker" | "main";

export interface SimSettings {
  readonly buckets: number;
  readonly links: number;
  readonly heartbeatMs: number;
  readonly failureMs: number;
  /** Milliseconds between two ticks of the control and the sync thread. */
  readonly tickMs: number;
  readonly isolation: Isolation;
  readonly windowMs: number;
  /** Frames of the send buffer. */
  readonly frames: number;
  /** Flows of the table. */
  readonly flowsMax: number;
  /** Packets that a queue holds, and events that the kernel keeps for the sync thread. */
  readonly queueMax: number;
  readonly eventsMax: number;
  readonly seal: "aes" | "cheap";
  /** Whether broadcast begins close to the end of its numbers. */
  readonly isWrapping: boolean;
  /** Milliseconds between the threads of a node. */
  readonly threadMs: number;
  /** What comes on top from control to sync at most. */
  readonly hopMs: number;
  /** Milliseconds until the sync thread hears the kernel at most; 0: not before its next tick. */
  readonly hearMs: number;
  /** Milliseconds that a packet of no known flow waits in the queue of a node at most. */
  readonly queueMs: number;
  /** Nodes up to this id have cold replicas; absent: none has. Not drawn but asked for. */
  readonly cold?: number;
  /** Part by which clocks run fast or slow at most. */
  readonly drift: number;
}

export interface Workload {
  readonly opensPerSecond: number;
  /** Parts of the flows that are translated, are UDP, are short, are idle, get no answer. */
  readonly nat: number;
  readonly udp: number;
  readonly short: number;
  readonly idle: number;
  readonly unanswered: number;
  /** Mean milliseconds between a flow's packets, and of its life. */
  readonly gapMs: number;
  readonly lifeMs: number;
}

export interface Plan {
  readonly seed: number;
  readonly nodes: number;
  /** Milliseconds of faults; quiet comes after. */
  readonly faultyMs: number;
  readonly settings: SimSettings;
  readonly workload: Workload;
  readonly network: Network;
  readonly faults: readonly Fault[];
}

/**
 * The protocols know only the ratios of these, but for what lasts as long on every cluster, such as
 * repairs and digests. So most seeds take slow ones, of which a minute costs less. A heartbeat has
 * five ticks or a little more, as in production.
 */
const USUAL = { heartbeatMs: 50, failureMs: 200, tickMs: 10 };
type Timing = Pick<SimSettings, "heartbeatMs" | "failureMs" | "tickMs">;

const QUICK: readonly Timing[] = [
  { heartbeatMs: 100, failureMs: 300, tickMs: 20 },
  { heartbeatMs: 100, failureMs: 500, tickMs: 20 },
  { heartbeatMs: 250, failureMs: 1000, tickMs: 50 },
  { heartbeatMs: 500, failureMs: 1500, tickMs: 100 },
  { heartbeatMs: 500, failureMs: 2500, tickMs: 100 },
  { heartbeatMs: 400, failureMs: 2000, tickMs: 80 },
];
const SLOW: readonly Timing[] = [
  { heartbeatMs: 1000, failureMs: 3000, tickMs: 200 },
  { heartbeatMs: 1000, failureMs: 4000, tickMs: 200 },
  { heartbeatMs: 1500, failureMs: 6000, tickMs: 300 },
  { heartbeatMs: 2000, failureMs: 8000, tickMs: 400 },
];
const USUAL_PART = 0.02;
const QUICK_PART = 0.08;

export const CALM: Network = { loss: 0, duplication: 0, corruption: 0, delayMs: [0.2, 0.5] };

/** The plan of a seed. @param minutes of faults. @param cold nodes whose replicas are cold */
export function planOf(seed: number, nodes: number, minutes: number, cold = 0): Plan {
  const random = new Random(seed);
  const faultyMs = minutes * 60_000;
  const drawn = drawSettings(random);
  const settings = { ...drawn, ...drawWaits(new Random(seed ^ WAITS_SEED), drawn), cold };
  const workload = drawWorkload(random);
  const network = random.chance(0.5) ? CALM : drawNetwork(random, settings, 0.05);
  const faults = drawFaults(random, { nodes, faultyMs, settings });
  return { seed, nodes, faultyMs, settings, workload, network, faults };
}

/** Waits in a node; drawn apart: a seed's faults and other settings do not depend on them. */
type Waits = Pick<SimSettings, "hopMs" | "hearMs" | "queueMs">;
const WAITS_SEED = 0x5bd1e995;
/** As parts of a heartbeat. */
const HOPS = [0, 0.02, 0.2];
const HEARINGS = [0, 0.01, 0.1];
const QUEUES = [0, 0.02, 0.2];

function drawWaits(random: Random, { heartbeatMs }: Timing): Waits {
  return {
    hopMs: heartbeatMs * random.pick(HOPS),
    hearMs: heartbeatMs * random.pick(HEARINGS),
    queueMs: heartbeatMs * random.pick(QUEUES),
  };
}

function drawSettings(random: Random): Omit<SimSettings, keyof Waits> {
  return {
    ...drawTiming(random),
    buckets: random.pick([16, 32, 64, 64, 128, 256]),
    links: random.pick([1, 1, 1, 2]),
    isolation: random.pick(["serve", "serve", "serve", "yield", "majority", "probe"]),
    windowMs: random.pick([0, 50, 250, 250, 1000]),
    frames: random.pick([64, 256, 4096]),
    flowsMax: random.pick([48, 4096, 4096, 4096, 4096, 4096]),
    queueMax: random.pick([4, 64, 1024]),
    eventsMax: random.pick([16, 256, 4096]),
    seal: random.chance(0.03) ? "aes" : "cheap",
    isWrapping: random.chance(0.4),
    threadMs: random.pick([0, 0, 1, 5]),
    drift: random.pick([0, 0, 0.0002, 0.01, 0.03]),
  };
}

function drawTiming(random: Random): Timing {
  const part = random.next();
  if (part < USUAL_PART) return USUAL;
  return random.pick(part < USUAL_PART + QUICK_PART ? QUICK : SLOW);
}

function drawWorkload(random: Random): Workload {
  return {
    opensPerSecond: random.pick([0.2, 0.5, 1, 3]),
    nat: random.pick([0, 0.3, 1]),
    udp: random.pick([0, 0.2, 0.5]),
    short: random.pick([0.1, 0.5]),
    idle: random.pick([0.05, 0.3]),
    unanswered: random.pick([0, 0.1, 0.3]),
    gapMs: random.pick([2000, 5000, 10_000]),
    lifeMs: random.pick([2000, 10_000, 40_000]),
  };
}

const WAY_MS_MAX = 500;

/** A bad network. @param lossMax part of datagrams lost at most */
export function drawNetwork(random: Random, settings: SimSettings, lossMax: number): Network {
  // Repairs are as quick on slow clusters: a way of seconds would only fill the links with them.
  const wayMs = Math.min(settings.heartbeatMs, WAY_MS_MAX);
  return {
    loss: random.chance(0.7) ? random.between(0, lossMax) : 0,
    duplication: random.chance(0.5) ? random.between(0, 0.5) : 0,
    corruption: random.chance(0.3) ? random.between(0, 0.1) : 0,
    delayMs: [random.between(0.1, wayMs * 0.1), random.around(wayMs * 0.2)],
  };
}
