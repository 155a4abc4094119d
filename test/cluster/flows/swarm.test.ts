/**
 * Invariants C1, C3, C4 and survival under random faults, then quiet: every table and every kernel
 * is the union of what the owners' kernels have, no flow established for long enough is lost by a
 * death, and no flow that ended is left anywhere. A failure names its seed.
 */
import { expect, test } from "vitest";
import type { Flow } from "../../../src/cluster/flows/record.js";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { ASSURED, flow } from "./flows.js";
import type { Box } from "./net.js";
import { FlowWorld, isOver } from "./world.js";

const SEEDS = 30;
const QUIET_MS_MAX = 30_000;
/** A flow counts as established when it is older than window, a round trip and its repairs. */
const ESTABLISHED_MS = 250 + 400;

test(`${SEEDS} seeds: afterwards all tables are the union of the owners' flows`, () => {
  const seen: Record<string, number> = {};
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new FlowWorld(seed * 2654435761);
    const count = 2 + (seed % 5);
    for (let id = 1; id <= count; id++) world.add(id);
    world.run(1500);
    const traffic = new Traffic(world);
    for (let round = 0; round < 10; round++) {
      disturb(world, traffic);
      for (let step = 0; step < 20; step++) {
        traffic.step();
        world.run(10 + Math.floor(world.random() * 20));
      }
    }
    calm(world);
    const isQuiet = () => traffic.ghosts().length === 0 && world.differences().length === 0;
    const ms = world.runUntil(QUIET_MS_MAX, isQuiet);
    expect([seed, ms === null ? world.differences() : "equal"]).toEqual([seed, "equal"]);
    world.run(3000);
    expect([seed, world.differences()]).toEqual([seed, []]);
    expect([seed, traffic.lost()]).toEqual([seed, []]);
    for (const { sync } of world.live()) {
      for (const [name, count] of Object.entries(sync?.health(world.now).counters ?? {})) {
        seen[name] = (seen[name] ?? 0) + count;
      }
    }
  }
  // Otherwise the faults were too kind to have shown anything.
  const expected = [
    "coalesced",
    "late",
    "relayed",
    "repairs",
    "drift",
    "missed",
    "stale",
    "tables",
  ];
  expect(expected.filter((name) => !seen[name])).toEqual([]);
}, 120_000);

/** Connections that are opened, change and end, as all nodes' kernels see them. */
class Traffic {
  private index = 0;
  private readonly open = new Map<string, { record: Flow; sinceMs: number; isSafe: boolean }>();
  private readonly ended = new Set<string>();

  constructor(private readonly world: FlowWorld) {
    world.onSecond = () => this.timeOut();
  }

  step(): void {
    const { random } = this.world;
    for (let count = Math.floor(random() * 6); count > 0; count--) this.begin();
    for (const [key, { record, sinceMs }] of this.open) {
      if (random() < 0.04) this.end(key, record);
      else if (random() < 0.02) this.change(key, record, sinceMs);
    }
  }

  /** A node is about to die: what its peers have been told for long enough must survive. */
  beforeCrash(): void {
    for (const connection of this.open.values()) {
      connection.isSafe = this.world.now - connection.sinceMs >= ESTABLISHED_MS;
    }
    for (const [key, { isSafe, record }] of this.open) {
      if (!isSafe) this.forget(key, record);
    }
  }

  /** Flows that should be there and are not. */
  lost(): string[] {
    const union = new Set(this.world.union());
    return [...this.open.keys()].filter((key) => !union.has(key));
  }

  /** Flows that have ended and that some kernel still has. */
  ghosts(): string[] {
    const { world } = this;
    const keys = world.live().flatMap((box) => world.kernelKeys(box));
    return keys.filter((key) => this.ended.has(key));
  }

  /** A kernel forgets a connection without packets, here in seconds instead of hours. */
  private timeOut(): void {
    for (const box of this.world.live()) {
      for (const [key, record] of box.kernel) {
        if (this.ended.has(key) && this.world.random() < 0.3) this.world.gone(box, record);
      }
    }
  }

  private begin(): void {
    const bucket = Math.floor(this.world.random() * this.world.buckets);
    const owner = this.world.owners(bucket)[0];
    if (!owner) return;
    this.index += 1;
    const record = flow(this.index, bucket, { state: "opening", status: 0 });
    this.world.alive(owner, record);
    if (this.world.random() < 0.2) return this.end(keyOf(record), record); // never answered
    const established = { ...record, state: "established", status: ASSURED } as const;
    this.world.alive(owner, established);
    this.open.set(keyOf(record), { record: established, sinceMs: this.world.now, isSafe: false });
  }

  private change(key: string, record: Flow, sinceMs: number): void {
    const changed = { ...record, mark: record.mark + 1 };
    for (const box of this.holders(key)) {
      // The mark is set by a rule of the node that forwards.
      if (box.owned.has(record.bucket)) this.world.alive(box, changed);
    }
    this.open.set(key, { record: changed, sinceMs, isSafe: false });
  }

  private end(key: string, record: Flow): void {
    this.open.delete(key);
    this.ended.add(key);
    this.close(record);
  }

  /** All kernels that have the flow see its end, and forget it a while later. */
  private close(record: Flow): void {
    const over: Flow = { ...record, state: "over" };
    for (const box of this.holders(keyOf(record))) {
      if (this.world.random() < 0.5) this.world.alive(box, over);
      this.world.at(this.world.random() * 300, () => this.world.gone(box, over));
    }
  }

  private forget(key: string, record: Flow): void {
    this.open.delete(key);
    this.ended.add(key);
    this.close(record);
  }

  private holders(key: string): Box[] {
    return this.world.live().filter((box) => {
      const record = box.kernel.get(key);
      return record !== undefined && !isOver(record);
    });
  }
}

function disturb(world: FlowWorld, traffic: Traffic): void {
  const box = world.boxes[Math.floor(world.random() * world.boxes.length)];
  const ways = [
    () => {
      if (world.live().length < 2 || !box.sync || world.live().some((each) => !each.isSynced))
        return;
      traffic.beforeCrash();
      world.crash(box);
    },
    () => {
      if (!box.sync) world.start(box);
    },
    () => {
      box.isDeaf = true;
      world.at(world.random() * 200, () => {
        box.isDeaf = false;
      });
    },
    () => {
      world.faults.loss = world.random() * 0.3;
      world.faults.duplication = world.random() / 2;
    },
    () => {
      world.faults.delayMs = 1 + world.random() * 60;
    },
  ];
  ways[Math.floor(world.random() * ways.length)]();
}

function calm(world: FlowWorld): void {
  Object.assign(world.faults, { loss: 0, duplication: 0, delayMs: 2 });
  for (const box of world.boxes) {
    box.isDeaf = false;
    if (!box.sync) world.start(box);
  }
}
