/**
 * Nodes with their kernels and the network between them, on virtual time; a run depends on its seed
 * alone. Who is alive and who owns what is played by world.ts.
 */

import { nextDueOf } from "../../../src/cluster/flows/due.js";
import type { FlowOutput, KernelEvent } from "../../../src/cluster/flows/output.js";
import type { Replicated } from "../../../src/cluster/flows/record.js";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import type { FlowSync } from "../../../src/cluster/flows/sync.js";
import { twinKeyOf } from "../../../src/cluster/flows/twins.js";
import { isData } from "../../../src/cluster/frame/data.js";
import { seeded } from "../machine.js";

const TICK_MS = 10;
const BEAT_MS = 50;

export interface Box {
  readonly id: number;
  incarnation: bigint;
  sync: FlowSync | null;
  /** Flows of its kernel by key; an `over` one is remembered for a while. */
  readonly kernel: Map<string, Replicated>;
  events: KernelEvent[];
  /** Whether events are dropped, and whether any were since it was last told. */
  isDeaf: boolean;
  hasLost: boolean;
  owned: Set<number>;
  ready: (bucket: number) => boolean;
  isSynced: boolean;
  sent: number;
  bodies: number;
  /** Peers it believes alive, by id, with their incarnation. */
  readonly sees: Map<number, bigint>;
  readonly told: string[];
  onArm: (record: Replicated) => void;
  /** Tickets of held replies that may leave. */
  readonly released: number[];
}

export abstract class FlowNet {
  now = 0;
  readonly boxes: Box[] = [];
  readonly random: () => number;
  readonly faults = { loss: 0, duplication: 0, delayMs: 2 };
  /** Bodies by kind that were sent so far. */
  readonly kinds: Record<number, number> = {};
  passes: (from: Box, to: Box, body: Uint8Array) => boolean = () => true;
  /** Called once in each second of virtual time. */
  onSecond: () => void = () => {};
  private readonly agenda = new Map<number, (() => void)[]>();

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  /** What the ranges layers of the nodes do with each heartbeat. */
  protected abstract moveRanges(): void;

  live(): Box[] {
    return this.boxes.filter(({ sync }) => sync !== null);
  }

  /** The kernel of `box` has this flow now, and says so unless its events are being lost. */
  alive(box: Box, record: Replicated): void {
    box.kernel.set(keyOf(record), record);
    this.event(box, { kind: "alive", record });
  }

  gone(box: Box, record: Replicated): void {
    if (box.kernel.delete(keyOf(record))) this.event(box, { kind: "gone", record });
  }

  /** Runs `call` and carries out what it asks for. */
  act(box: Box, call: (sync: FlowSync) => FlowOutput[]): void {
    if (box.sync) for (const output of call(box.sync)) this.carryOut(box, output);
  }

  at(ms: number, what: () => void): void {
    const time = this.now + Math.max(1, Math.round(ms));
    this.agenda.set(time, [...(this.agenda.get(time) ?? []), what]);
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 1;
      for (const what of this.agenda.get(this.now) ?? []) what();
      this.agenda.delete(this.now);
      for (const box of this.live()) this.runBox(box);
      if (this.now % BEAT_MS === 0) this.moveRanges();
      if (this.now % 1000 === 0) this.onSecond();
    }
  }

  runUntil(ms: number, holds: () => boolean): number | null {
    const start = this.now;
    while (!holds()) {
      if (this.now - start >= ms) return null;
      this.run(1);
    }
    return this.now - start;
  }

  private runBox(box: Box): void {
    if (this.now % 5 === 0) this.hearKernel(box);
    const isTurn = (this.now + box.id) % TICK_MS === 0;
    if (isTurn && box.sync && nextDueOf(box.sync) <= this.now) {
      this.act(box, (sync) => sync.onTick(this.now));
    }
    if ((this.now + box.id * 3) % BEAT_MS === 0 && box.sent !== 0) this.beat(box, box.sent);
  }

  private hearKernel(box: Box): void {
    const events = box.events.splice(0);
    if (events.length > 0) this.act(box, (sync) => sync.onEvents(events, this.now));
    if (!box.hasLost || box.isDeaf) return;
    box.hasLost = false;
    this.act(box, (sync) => sync.onUnheard(true, this.now));
  }

  private event(box: Box, event: KernelEvent): void {
    if (box.isDeaf) box.hasLost = true;
    else box.events.push(event);
  }

  private beat(box: Box, sequence: number): void {
    const from = { node: box.id, incarnation: box.incarnation };
    this.spread(box, new Uint8Array(), (to) => {
      this.act(to, (sync) => sync.onSent(from, sequence, this.now));
    });
  }

  private carryOut(box: Box, output: FlowOutput): void {
    switch (output.kind) {
      case "send":
        return this.broadcast(box, output.body);
      case "kernel":
        return this.kernel(box, output.op, output.record);
      case "dump":
        return this.dump(box);
      case "synced":
        box.isSynced = output.isSynced;
        return;
      case "ready":
        box.ready = (bucket) => output.owners[bucket] !== 0;
        return;
      case "release":
        box.released.push(...output.tickets);
        return;
      case "event":
        box.told.push(output.event.name);
    }
  }

  private broadcast(box: Box, body: Uint8Array): void {
    this.kinds[body[0]] = (this.kinds[body[0]] ?? 0) + 1;
    box.bodies += 1;
    if (isData(body)) box.sent = box.sync?.broadcast.buffer.next ?? 0;
    if (isData(body)) box.sent = (box.sent - 1) >>> 0;
    const from = { node: box.id, incarnation: box.incarnation };
    this.spread(box, body, (to) => this.act(to, (sync) => sync.onBody(from, body, this.now)));
  }

  /** Carries a datagram to all who see its sender, each with its own fate. */
  private spread(from: Box, body: Uint8Array, arrive: (to: Box) => void): void {
    const { incarnation } = from;
    for (const to of this.boxes) {
      if (to === from || !this.passes(from, to, body) || this.random() < this.faults.loss) continue;
      const copies = this.random() < this.faults.duplication ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        this.at(this.random() * this.faults.delayMs, () => {
          if (to.sees.get(from.id) === incarnation) arrive(to);
        });
      }
    }
  }

  private kernel(box: Box, op: string, record: Replicated): void {
    if (op === "arm") return box.onArm(record);
    const twin = box.kernel.get(twinKeyOf(record) ?? "");
    if (twin !== undefined) {
      // A kernel finds a flow by either tuple.
      if (op === "delete") return this.gone(box, twin);
      return this.alive(box, { ...twin, bucket: record.bucket });
    }
    if (op === "delete") return this.gone(box, record);
    const known = box.kernel.get(keyOf(record));
    if (known?.kind === "flow" && record.kind === "flow") {
      // What is created and is there is changed; its translation a kernel never changes.
      this.alive(box, { ...record, reply: known.reply });
    } else if (op === "update" || !known) this.alive(box, record);
  }

  /**
   * The kernel's table is read a moment after it is asked for, and arrives another moment later.
   */
  private dump(box: Box): void {
    const { sync } = box;
    this.at(this.random() * 30, () => {
      const records = [...box.kernel.values()];
      this.at(this.random() * 30, () => {
        if (box.sync === sync) this.act(box, (each) => each.onDump(records, this.now));
      });
    });
  }
}
