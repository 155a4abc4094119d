/**
 * Draws a schedule of faults: each seed enables some kinds only and gives them their own frequency,
 * since faults that always come together hide each other (swarm testing).
 */
import { type Cut, drawNetwork, type Fault, type SimSettings } from "./plan.js";
import type { Random } from "./random.js";

export interface Scene {
  readonly nodes: number;
  readonly faultyMs: number;
  readonly settings: SimSettings;
}

type Kind =
  | Exclude<Fault["kind"], "partition">
  | "cut"
  | "oneWay"
  | "isolate"
  | "ring"
  | "bridge"
  | "swizzle"
  | "rolling";

const KINDS: readonly Kind[] = [
  ...(["crash", "pause", "suspend", "deaf", "drain", "restart", "unfit", "twin", "newer"] as const),
  ...(["flood", "stall", "slow", "dumps", "narrow", "network", "replay", "forge"] as const),
  ...(["cut", "oneWay", "isolate", "ring", "bridge", "swizzle", "rolling"] as const),
];

/** Part of the seeds that enable a kind, and mean milliseconds between two faults of it. */
const ENABLED = 0.3;
const MEAN_MS = [8000, 20_000, 60_000] as const;
/** At first the cluster may form in peace. */
const START_MS = 2000;
/** Faults come more rarely where everything takes longer than under this failure time. */
export const BRISK_MS = 2000;
/** Some seeds have faults in a part of each period only: what is steady meets the next storm. */
const PERIOD_MS = 120_000;

export function drawFaults(random: Random, scene: Scene): Fault[] {
  const faults: Fault[] = [];
  const { failureMs } = scene.settings;
  const startMs = Math.max(START_MS, 4 * failureMs);
  const stormMs = random.chance(0.5) ? PERIOD_MS : PERIOD_MS * random.between(0.2, 0.6);
  for (const kind of KINDS) {
    if (!random.chance(ENABLED)) continue;
    const mean = random.pick(MEAN_MS) * Math.max(1, failureMs / BRISK_MS);
    for (let atMs = startMs + random.around(mean); atMs < scene.faultyMs; ) {
      faults.push(...draw(random, kind, Math.round(atMs), scene));
      atMs += 500 + random.around(mean);
    }
  }
  return faults
    .filter(({ atMs }) => atMs < scene.faultyMs && PERIOD_MS - (atMs % PERIOD_MS) <= stormMs)
    .map((fault) => ({ ...fault, forMs: Math.min(fault.forMs, scene.faultyMs - fault.atMs) }))
    .sort((a, b) => a.atMs - b.atMs);
}

function draw(random: Random, kind: Kind, atMs: number, scene: Scene): Fault[] {
  const { failureMs, heartbeatMs } = scene.settings;
  const node = 1 + random.below(scene.nodes);
  const others = idsOf(scene).filter((id) => id !== node);
  const forMs = Math.round(random.around(failureMs * random.pick([0.5, 2, 8])));
  const cut = (cuts: readonly Cut[]): Fault[] => {
    const { links } = scene.settings;
    const link = links > 1 && random.chance(0.5) ? random.below(links) : -1;
    return [{ kind: "partition", atMs, forMs, cuts, link }];
  };
  switch (kind) {
    case "crash":
      return [{ kind, atMs, forMs, node, isMachine: random.chance(0.5) }];
    case "stall":
      return [
        { kind, atMs, forMs, node, thread: random.pick(["worker", "sync", "main", "control"]) },
      ];
    case "slow":
      return [{ kind, atMs, forMs: forMs * 3, node, lateMs: random.between(0, heartbeatMs) }];
    case "dumps":
      return [{ kind, atMs, forMs: forMs * 3, node, dumpMs: random.between(100, 8000) }];
    case "narrow":
      return [{ kind, atMs, forMs: forMs * 2, node, most: 2 + random.below(18) }];
    case "network":
      return [{ kind, atMs, forMs: forMs * 2, network: drawNetwork(random, scene.settings, 0.3) }];
    case "replay":
    case "forge":
      return [{ kind, atMs, forMs, perSecond: random.pick([5, 50]) }];
    case "cut": {
      const side = random.some(idsOf(scene));
      return cut(pairs(scene, (from, to) => side.includes(from) !== side.includes(to)));
    }
    case "oneWay": {
      const side = random.some(idsOf(scene));
      return cut(pairs(scene, (from, to) => side.includes(from) && !side.includes(to)));
    }
    case "isolate":
      return cut(pairs(scene, (from, to) => from === node || to === node));
    case "ring":
      return cut(pairs(scene, (from, to) => !areNeighbours(from, to, scene.nodes)));
    case "bridge":
      return cut(pairs(scene, (from, to) => from !== node && to !== node && (from ^ to) % 2 === 1));
    case "swizzle":
      return random.some([node, ...others]).map((id): Fault => {
        const cuts = pairs(scene, (from, to) => from === id || to === id);
        const scale = Math.max(1, failureMs / BRISK_MS);
        const start = random.between(0, 3000 * scale);
        const length = random.between(200, 5000 * scale);
        return { kind: "partition", atMs: atMs + start, forMs: length, cuts, link: -1 };
      });
    case "rolling":
      return idsOf(scene).map((id, index) => {
        const after = index * (4 * failureMs + 3000);
        return { kind: "restart", atMs: atMs + after, forMs: random.between(10, 1000), node: id };
      });
    default:
      return [{ kind, atMs, forMs: kind === "drain" ? forMs + 2000 : forMs, node }];
  }
}

function idsOf(scene: Scene): number[] {
  return Array.from({ length: scene.nodes }, (_, index) => index + 1);
}

function pairs(scene: Scene, isCut: (from: number, to: number) => boolean): Cut[] {
  const ids = idsOf(scene);
  return ids.flatMap((from) =>
    ids.filter((to) => to !== from && isCut(from, to)).map((to): Cut => [from, to]),
  );
}

function areNeighbours(a: number, b: number, count: number): boolean {
  const apart = Math.abs(a - b);
  return apart === 1 || apart === count - 1;
}
