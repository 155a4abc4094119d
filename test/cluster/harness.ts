/**
 * Many nodes in one process on virtual time, with real keys and real datagrams. A run depends on
 * its seed alone.
 *
 * What a node accepts is what its last lease allows until it ends, as in the kernel: a paused node
 * goes on accepting until then, a crashed machine stops at once.
 */

import { ClusterNode } from "../../src/cluster/node.js";
import type { Output } from "../../src/cluster/output.js";
import {
  addAll,
  both,
  countBuckets,
  emptyBitmap,
  type Run,
  runsOf,
} from "../../src/cluster/ranges/bitmap.js";
import type { ClusterInputs } from "../../src/cluster/settings.js";
import {
  type Datagram,
  type Faults,
  type Machine,
  newMachine,
  SECRET,
  type Settings,
  seeded,
  TICK_MS,
} from "./machine.js";

export class World {
  now = 0;
  readonly machines: Machine[] = [];
  readonly random: () => number;
  /** Longest time so far that one bucket was accepted by nobody, since `watchGaps`. */
  gapMs = 0;
  /** Bucket-milliseconds accepted by the suspect and another at once, since `watchGaps`. */
  overlap = 0;
  /** Every datagram sent, kept while `isRecording`. */
  readonly recorded: { from: number; link: number; bytes: Uint8Array }[] = [];
  isRecording = false;
  private uncoveredSince: Float64Array | null = null;
  private suspect: Machine | null = null;
  private readonly onTheWay = new Map<number, Datagram[]>();
  /** Says whether a datagram may pass; partitions are made of this. */
  passes: (from: number, to: number, link: number) => boolean = () => true;

  constructor(
    seed: number,
    readonly buckets = 64,
    readonly faults: Faults = { loss: 0, duplication: 0, delayMs: [1, 2] },
  ) {
    this.random = seeded(seed);
  }

  random64(): bigint {
    const half = () => BigInt(Math.floor(this.random() * 2 ** 32));
    return (half() << 32n) | half();
  }

  add(id: number, own: Partial<Settings> = {}, inputs: Partial<ClusterInputs> = {}): Machine {
    const { buckets } = this;
    const common = { id, name: "sim", secret: SECRET, buckets, configDigest: 1n };
    const phase = Math.floor(this.random() * TICK_MS);
    const machine = newMachine({ ...common, ...own }, inputs, phase);
    this.machines.push(machine);
    this.start(machine);
    return machine;
  }

  start(machine: Machine): void {
    const inputs = { random: () => this.random64(), ...machine.inputs };
    machine.node = new ClusterNode(machine.settings, inputs, this.now);
  }

  crash(machine: Machine): void {
    machine.node = null;
    machine.inbox = [];
    machine.leaseUntilMs = Number.NEGATIVE_INFINITY;
  }

  pause(machine: Machine, ms: number): void {
    machine.pausedUntilMs = this.now + ms;
  }

  /** Runs `call` on a machine's node now and carries its outputs out. */
  act(machine: Machine, call: (node: ClusterNode) => Output[]): void {
    if (machine.node) this.carryOut(machine, call(machine.node));
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 1;
      for (const datagram of this.onTheWay.get(this.now) ?? []) this.arrive(datagram);
      this.onTheWay.delete(this.now);
      for (const machine of this.machines) this.runMachine(machine);
      this.look();
    }
  }

  /** Runs until `holds`, at most `ms`; returns the milliseconds it took, or null. */
  runUntil(ms: number, holds: () => boolean): number | null {
    const start = this.now;
    while (!holds()) {
      if (this.now - start >= ms) return null;
      this.run(1);
    }
    return this.now - start;
  }

  /** Measures from now on; `suspect` is the machine whose overlap with others counts. */
  watchGaps(suspect: Machine | null = null): void {
    this.suspect = suspect;
    this.gapMs = 0;
    this.overlap = 0;
    this.uncoveredSince = new Float64Array(this.buckets).fill(Number.NaN);
  }

  /** Runs of each machine that accepts anything, by id. */
  accepted(): Record<number, Run[]> {
    const accepting = this.machines.filter((machine) => this.accepts(machine));
    return Object.fromEntries(accepting.map((machine) => [machine.id, runsOf(machine.owned)]));
  }

  /** Whether the ranges are those of the sorted target of exactly `ids`. */
  isSettled(ids: readonly number[]): boolean {
    const sorted = [...ids].sort((a, b) => a - b);
    const share = (index: number) => Math.floor((index * this.buckets) / sorted.length);
    const expected = sorted.map((id, index) => [id, [[share(index), share(index + 1) - 1]]]);
    return JSON.stringify(this.accepted()) === JSON.stringify(Object.fromEntries(expected));
  }

  inject(to: Machine, link: number, bytes: Uint8Array): void {
    this.arrive({ from: 0, to, link, bytes });
  }

  private accepts(machine: Machine): boolean {
    return this.now < machine.leaseUntilMs && machine.owned.some((word) => word !== 0);
  }

  private runMachine(machine: Machine): void {
    if (!machine.node || this.now < machine.pausedUntilMs) return;
    if (machine.pausedUntilMs === this.now && this.random() < 0.5) this.tick(machine);
    for (const { link, bytes } of machine.inbox.splice(0)) {
      this.act(machine, (node) => node.onDatagram(this.now, link, bytes));
    }
    if ((this.now + machine.phase) % TICK_MS !== 0) return;
    // As far as was known a tick ago, or has come since.
    if (machine.node.nextDue(this.now - TICK_MS) <= this.now) this.tick(machine);
  }

  private tick(machine: Machine): void {
    this.act(machine, (node) => node.onTick(this.now));
  }

  private arrive(datagram: Datagram): void {
    const { to, link, bytes } = datagram;
    if (to.node) to.inbox.push({ link, bytes });
  }

  private carryOut(machine: Machine, outputs: readonly Output[]): void {
    for (const output of outputs) {
      machine.said.push(output.kind);
      if (output.kind === "send") this.spread(machine, output.link, output.bytes);
      else if (output.kind === "event") machine.events.push(output.event);
      else if (output.kind === "up") machine.ups.push(output.input);
      else if (output.kind === "fatal") machine.fatal = output.message;
      else if (output.kind === "revoke") machine.leaseUntilMs = Number.NEGATIVE_INFINITY;
      else if (output.kind === "lease") {
        machine.leaseUntilMs = output.untilMs;
        machine.owned = output.owned;
      }
    }
  }

  private spread(machine: Machine, link: number, bytes: Uint8Array): void {
    if (this.isRecording) this.recorded.push({ from: machine.id, link, bytes });
    for (const to of this.machines) {
      if (to === machine || !this.passes(machine.id, to.id, link)) continue;
      if (this.random() < this.faults.loss) continue;
      const copies = this.random() < this.faults.duplication ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) this.post({ from: machine.id, to, link, bytes });
    }
  }

  private post(datagram: Datagram): void {
    const [least, most] = this.faults.delayMs;
    const at = this.now + 1 + Math.floor(least + this.random() * (most - least));
    const list = this.onTheWay.get(at);
    if (list) list.push(datagram);
    else this.onTheWay.set(at, [datagram]);
  }

  private others(): Machine[] {
    return this.machines.filter((other) => other !== this.suspect && this.accepts(other));
  }

  /** Looks at what is accepted in this millisecond. */
  private look(): void {
    const since = this.uncoveredSince;
    if (!since) return;
    const seen = emptyBitmap(this.buckets);
    for (const { owned } of this.others()) addAll(seen, owned);
    if (this.suspect && this.accepts(this.suspect)) {
      this.overlap += countBuckets(both(seen, this.suspect.owned));
      addAll(seen, this.suspect.owned);
    }
    for (let bucket = 0; bucket < this.buckets; bucket++) {
      const isCovered = (seen[bucket >>> 5] & (1 << (bucket & 31))) !== 0;
      if (isCovered) since[bucket] = Number.NaN;
      else if (Number.isNaN(since[bucket])) since[bucket] = this.now - 1;
      if (!isCovered) this.gapMs = Math.max(this.gapMs, this.now - since[bucket]);
    }
  }
}

/** A world of `count` nodes that have settled. */
export function settledWorld(
  seed: number,
  count: number,
  settings: Partial<Settings> = {},
  buckets = 64,
): World {
  const world = new World(seed, buckets);
  for (let id = 1; id <= count; id++) world.add(id, { ...settings });
  const ids = world.machines.map((machine) => machine.id);
  if (world.runUntil(3000, () => world.isSettled(ids)) === null) {
    throw new Error(`seed ${seed}: not settled: ${JSON.stringify(world.accepted())}`);
  }
  world.run(200);
  return world;
}
