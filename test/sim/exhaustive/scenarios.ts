/** Where the search begins, and which orders are given. */
import { unrest, Violation } from "./checks.js";
import type { Stage } from "./step.js";
import { type Budget, fairAction, type Order, type World } from "./world.js";

export const SCENARIOS = ["cold-start", "join", "drain", "quiet", "join-and-drain"] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

export interface Scenario {
  readonly name: ScenarioName;
  readonly buckets: number;
  readonly budget: Budget;
  start(stage: Stage): World;
}

const BUCKETS = 6;
/** The default ratio: neither a lost nor a late datagram, nor both, makes a node look dead. */
export const FAILURE_BEATS = 4;
const SETTLE_BEATS_MAX = 40;

interface Plan {
  /** Nodes that have settled before. */
  readonly settled: readonly number[];
  /** Given before the search; it begins when the first of these nodes is about to be active. */
  readonly early: readonly Order[];
  /** Given at any moment of the first heartbeat. */
  readonly orders: readonly Order[];
}

function planOf(name: ScenarioName, nodes: number): Plan {
  const all = Array.from({ length: nodes }, (_, index) => index + 1);
  const starts = (ids: readonly number[]) => ids.map((node): Order => ({ kind: "start", node }));
  const drainOf = (node: number): Order[] => [{ kind: "drain", node }];
  switch (name) {
    case "cold-start":
      return { settled: [], early: [], orders: starts(all) };
    case "join":
      return { settled: all.slice(0, -1), early: starts(all.slice(-1)), orders: [] };
    case "drain":
      return { settled: all, early: [], orders: drainOf(1) };
    case "quiet":
      return { settled: all, early: [], orders: [] };
    case "join-and-drain":
      return { settled: all.slice(0, -1), early: starts(all.slice(-1)), orders: drainOf(1) };
  }
}

/** @param failureBeats `failureMs` in heartbeats */
export function scenarioOf(
  name: ScenarioName,
  nodes: number,
  budget: Budget,
  failureBeats: number = FAILURE_BEATS,
): Scenario {
  const { settled, early, orders } = planOf(name, nodes);
  return {
    name,
    buckets: BUCKETS,
    budget,
    start(stage) {
      let world = emptyWorld(nodes, failureBeats);
      if (settled.length > 0) {
        world = fairBeat(stage, {
          ...world,
          orders: settled.map((node) => ({ kind: "start", node })),
        });
        world = until(stage, world, (now) => unrest(now, BUCKETS) === "");
      }
      if (early.length > 0) {
        world = fairBeat(stage, { ...world, orders: early });
        const { node } = early[0];
        world = until(
          stage,
          world,
          (now) => now.machines[node - 1]?.machine.node.snapshot(0).state === "syncing",
        );
      }
      return { ...world, orders, budget, trail: null };
    },
  };

  function until(stage: Stage, start: World, holds: (world: World) => boolean): World {
    let world = start;
    for (let beat = 0; beat < SETTLE_BEATS_MAX; beat++) {
      if (holds(world)) return world;
      world = fairBeat(stage, world);
    }
    throw new Violation("no progress: the scenario did not come to its beginning");
  }
}

function emptyWorld(nodes: number, failureBeats: number): World {
  return {
    ...{ beat: 0, failureBeats },
    machines: new Array(nodes).fill(null),
    packets: [],
    ticked: 0,
    orders: [],
    budget: { crash: 0, loss: 0, duplicate: 0, delay: 0 },
    faults: 0,
    crash: null,
    covered: 0,
    twice: new Array(BUCKETS).fill(0),
    trail: null,
  };
}

/** One heartbeat without faults, everything delivered before the next tick. */
export function fairBeat(stage: Stage, start: World): World {
  let world = start;
  for (const { beat } = world; world.beat === beat; ) {
    world = stage.apply(world, fairAction(world));
  }
  return world;
}
