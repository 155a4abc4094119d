/**
 * All ways through the first heartbeats of a scenario, each way's end then led to quiet.
 *
 *    heartbeat   frontier -- each action, each order --> the next frontier -- ... --> quiet
 *
 * Worlds that are reached twice are looked at once. Within a heartbeat each action either adds to
 * what has been done (ticks, orders, faults) or takes a datagram off the way; so the worlds of a
 * heartbeat have an order in which no world comes before one that leads to it, and the number of
 * paths can be counted exactly. No order of events is left out because it looks like another: that
 * a bucket is open for a moment shows in one of two orders that end alike.
 */
import { unrest, Violation } from "./checks.js";
import type { Scenario } from "./scenarios.js";
import { Stage } from "./step.js";
import { timeLine } from "./timeline.js";
import { type Action, actionsOf, fairAction, keyOf, type World } from "./world.js";

export interface Limits {
  /** Heartbeats explored in every order. */
  readonly depth: number;
  /** Distinct worlds at which the search gives up. */
  readonly worldsMax: number;
}

export interface Found {
  readonly message: string;
  /** How it came to it, line by line. */
  readonly timeLine: readonly string[];
}

export interface Result {
  readonly scenario: string;
  /** Worlds reached, each as often as it was. */
  visited: number;
  /** Worlds that differ. */
  distinct: number;
  /** Ways from the start to the last explored heartbeat. */
  paths: number;
  /** Actions of the longest way. */
  steps: number;
  /** Steps of production code that were really taken. */
  nodeSteps: number;
  /** Longest time for which a bucket was accepted twice, in ends of heartbeats. */
  overlapBeats: number;
  isComplete: boolean;
  found: Found | null;
}

interface Entry {
  readonly world: World;
  paths: number;
  steps: number;
}

/** Heartbeats after which a cluster must have settled. */
const QUIET_BEATS = 40;
/** It is settled when nothing has changed for so many. */
const CALM_BEATS = 3;

export class Explorer {
  private readonly stage: Stage;
  private readonly result: Result;
  private start: World | null = null;

  constructor(
    private readonly scenario: Scenario,
    private readonly limits: Limits,
  ) {
    this.stage = new Stage(scenario.buckets);
    this.result = {
      scenario: scenario.name,
      ...{ visited: 0, distinct: 0, paths: 0, steps: 0, nodeSteps: 0, overlapBeats: 0 },
      isComplete: true,
      found: null,
    };
  }

  run(): Result {
    try {
      this.search();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      const lines = this.start
        ? timeLine(this.start, this.stage, error.trail)
        : ["before the search, with no fault and one order of events"];
      this.result.found = { message: error.message, timeLine: lines };
    }
    this.result.nodeSteps = this.stage.nodeSteps;
    return this.result;
  }

  private search(): void {
    const world = this.scenario.start(this.stage);
    this.start = world;
    let frontier = new Map([[keyOf(world), { world, paths: 1, steps: 0 }]]);
    for (let beat = 0; beat < this.limits.depth && this.result.isComplete; beat++) {
      frontier = this.heartbeat(frontier);
    }
    this.count(frontier.values());
    this.calm([...frontier.values()].map((entry) => entry.world));
  }

  /** Every order of what can happen in one heartbeat; returns the worlds at its end. */
  private heartbeat(frontier: Map<string, Entry>): Map<string, Entry> {
    this.stage.nextBeat([...frontier.values()].map(({ world }) => world));
    const ends = new Map<string, Entry>();
    const known = new Map<string, Entry>(frontier);
    const queue = new Layers();
    for (const entry of frontier.values()) queue.add(entry);
    for (let entry = queue.next(); entry; entry = queue.next()) {
      for (const action of actionsOf(entry.world)) {
        const world = this.apply(entry.world, action);
        const key = keyOf(world);
        const isEnd = action.kind === "advance";
        const reached = (isEnd ? ends : known).get(key);
        if (reached) {
          reached.paths += entry.paths;
          reached.steps = Math.max(reached.steps, entry.steps + 1);
          continue;
        }
        const added = { world, paths: entry.paths, steps: entry.steps + 1 };
        (isEnd ? ends : known).set(key, added);
        if (!isEnd) queue.add(added);
      }
      if (this.result.distinct + known.size > this.limits.worldsMax) {
        this.result.isComplete = false;
        break;
      }
    }
    this.result.distinct += known.size;
    return ends;
  }

  private count(ends: Iterable<Entry>): void {
    for (const { paths, steps } of ends) {
      this.result.paths += paths;
      this.result.steps = Math.max(this.result.steps, steps);
    }
  }

  /** No more faults and one order of events: now every world has to settle. */
  private calm(worlds: World[]): void {
    let restless = new Map(worlds.map((world) => [keyOf(world), { world, calm: 0 }]));
    for (let beat = 0; restless.size > 0; beat++) {
      this.stage.nextBeat([...restless.values()].map(({ world }) => world));
      const next: typeof restless = new Map();
      for (const { world: before, calm } of restless.values()) {
        const world = this.fairBeat(before);
        const why = unrest(world, this.scenario.buckets);
        if (why && beat >= QUIET_BEATS) throw new Violation(`no progress: ${why}`, world.trail);
        const calmFor = why ? 0 : calm + 1;
        if (calmFor < CALM_BEATS) next.set(`${keyOf(world)} ${calmFor}`, { world, calm: calmFor });
      }
      restless = next;
    }
  }

  /** One heartbeat in which everything arrives at once. */
  private fairBeat(start: World): World {
    let world = start;
    for (const { beat } = world; world.beat === beat; )
      world = this.apply(world, fairAction(world));
    return world;
  }

  private apply(world: World, action: Action): World {
    this.result.visited += 1;
    const after = this.stage.apply(world, action);
    if (action.kind === "advance") {
      this.result.overlapBeats = Math.max(this.result.overlapBeats, ...after.twice);
    }
    return after;
  }
}

/** Worlds of one heartbeat, least done first, and of those the most datagrams on the way first. */
class Layers {
  private readonly layers: Entry[][][] = [];
  private done = 0;

  add(entry: Entry): void {
    const { world } = entry;
    const done = doneIn(world);
    this.layers[done] ??= [];
    this.layers[done][world.packets.length] ??= [];
    this.layers[done][world.packets.length].push(entry);
  }

  next(): Entry | undefined {
    for (; this.done < this.layers.length; this.done++) {
      const layer = this.layers[this.done] ?? [];
      for (let onWay = layer.length - 1; onWay >= 0; onWay--) {
        const entry = layer[onWay]?.pop();
        if (entry) return entry;
      }
    }
    return undefined;
  }
}

/** More than orders and faults together. */
const DONE_MAX = 64;

/** What has been done, in this heartbeat and before, that is never undone in it. */
function doneIn({ ticked, budget, orders }: World): number {
  let ticks = 0;
  for (let bits = ticked; bits !== 0; bits &= bits - 1) ticks += 1;
  const left = budget.crash + budget.loss + budget.duplicate + budget.delay + orders.length;
  return DONE_MAX + ticks - left;
}
