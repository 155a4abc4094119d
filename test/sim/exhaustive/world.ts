/**
 * The explored world: machines, datagrams on their way, one clock, and what may still go wrong.
 *
 * Time moves in heartbeats. Within one, in any order: each node ticks once, each datagram arrives,
 * each order of the operator is given. What was sent in a heartbeat arrives in it, or is lost, or
 * is held back past later ones; each of that, and a crash, as often as the budget allows.
 */
import { HEARTBEAT_MS, leased, type Machine, type Mask } from "./machine.js";

export interface Budget {
  readonly crash: number;
  readonly loss: number;
  readonly duplicate: number;
  readonly delay: number;
}

/** An order to a node, given once at some moment of the first explored heartbeat. */
export interface Order {
  readonly kind: "start" | "drain";
  readonly node: number;
}

export type Action =
  | { readonly kind: "tick" | "crash" | "start" | "drain"; readonly node: number }
  | { readonly kind: "deliver" | "lose" | "duplicate" | "hold"; readonly packet: Packet }
  | { readonly kind: "advance" };

/**
 * A datagram on its way to one receiver, as a number, so that a set of them is soon compared:
 * number of the datagram, receiver, and how it travels.
 */
export type Packet = number;

/** `prompt` arrives in this heartbeat, `held` in none before the next, `late` at any time. */
export const PROMPT = 0;
export const HELD = 1;
export const LATE = 2;

const RECEIVERS = 8;
const MODES = 4;

export function packetOf(datagram: number, to: number): Packet {
  return (datagram * RECEIVERS + to) * MODES;
}

export function datagramOf(packet: Packet): number {
  return Math.floor(packet / (MODES * RECEIVERS));
}

export function receiverOf(packet: Packet): number {
  return Math.floor(packet / MODES) % RECEIVERS;
}

export function modeOf(packet: Packet): number {
  return packet % MODES;
}

/** How a world came about, newest first; worlds share their past. */
export interface Trail {
  readonly action: Action;
  readonly before: Trail | null;
}

export interface Crash {
  readonly node: number;
  /** What it accepted when it died: these buckets, and no others, may be uncovered now. */
  readonly orphans: Mask;
  /** For how long its kernel goes on accepting after a heartbeat: the same in all worlds. */
  readonly leaseMs: number;
  /** Heartbeat in which something of it was last heard. */
  readonly heardBeat: number;
}

/** A number for each state of a machine: equal numbers, equal machines. */
export interface Numbered {
  readonly machine: Machine;
  readonly number: number;
}

export interface World {
  readonly beat: number;
  /** `failureMs` in heartbeats. */
  readonly failureBeats: number;
  /** By node id minus 1; null where nothing runs. */
  readonly machines: readonly (Numbered | null)[];
  /** Sorted. */
  readonly packets: readonly Packet[];
  /** Bit by node id minus 1. */
  readonly ticked: number;
  readonly orders: readonly Order[];
  readonly budget: Budget;
  /** Faults so far that cost time; what arrives twice costs none. */
  readonly faults: number;
  readonly crash: Crash | null;
  /** Buckets accepted at some time: from then on they must be. */
  readonly covered: Mask;
  /** For how many ends of heartbeats each bucket has been accepted twice. */
  readonly twice: readonly number[];
  readonly trail: Trail | null;
}

/** Milliseconds on every clock. */
export function nowOf(beat: number): number {
  return beat * HEARTBEAT_MS;
}

export function keyOf(world: World): string {
  const { crash, budget } = world;
  const machines = world.machines.map((one) => one?.number ?? "");
  const dead = crash ? `${crash.node}:${crash.orphans}:${crash.heardBeat}` : "";
  const left = `${budget.crash}${budget.loss}${budget.duplicate}${budget.delay}`;
  const orders = world.orders.map(({ kind, node }) => kind[0] + node);
  return [machines, world.packets, world.ticked, orders, left, dead, world.covered, world.twice]
    .map(String)
    .join("|");
}

/** Whether nothing more has to happen in this heartbeat. */
export function mayAdvance(world: World): boolean {
  return (
    world.orders.length === 0 &&
    world.packets.every((packet) => modeOf(packet) !== PROMPT) &&
    world.machines.every((one, index) => !one || (world.ticked >>> index) & 1)
  );
}

/** All that can happen next. */
export function actionsOf(world: World): Action[] {
  const { budget, packets } = world;
  const actions: Action[] = [];
  for (const order of world.orders) actions.push(order);
  for (let node = 1; node <= world.machines.length; node++) {
    if (!world.machines[node - 1]) continue;
    if (((world.ticked >>> (node - 1)) & 1) === 0) actions.push({ kind: "tick", node });
    if (budget.crash > 0) actions.push({ kind: "crash", node });
  }
  packets.forEach((packet, index) => {
    if (packet === packets[index - 1]) return; // the same datagram twice: no other choice
    if (modeOf(packet) !== HELD) actions.push({ kind: "deliver", packet });
    if (modeOf(packet) !== PROMPT) return;
    if (budget.loss > 0) actions.push({ kind: "lose", packet });
    if (budget.duplicate > 0) actions.push({ kind: "duplicate", packet });
    if (budget.delay > 0) actions.push({ kind: "hold", packet });
  });
  if (mayAdvance(world)) actions.push({ kind: "advance" });
  return actions;
}

/** What happens next when nothing goes wrong and everything arrives at once. */
export function fairAction(world: World): Action {
  const packet = world.packets.find((one) => modeOf(one) !== HELD);
  if (packet !== undefined) return { kind: "deliver", packet };
  if (world.orders.length > 0) return world.orders[0];
  const node = world.machines.findIndex((one, index) => one && !((world.ticked >>> index) & 1));
  return node < 0 ? { kind: "advance" } : { kind: "tick", node: node + 1 };
}

/** Buckets accepted by at least one machine. */
export function coverOf(world: World): Mask {
  const now = nowOf(world.beat);
  return world.machines.reduce((cover, one) => cover | (one ? leased(one.machine, now) : 0), 0);
}

/** Buckets accepted by two machines or more. */
export function twiceOf(world: World): Mask {
  const now = nowOf(world.beat);
  let once = 0;
  let twice = 0;
  for (const one of world.machines) {
    const owned = one ? leased(one.machine, now) : 0;
    twice |= once & owned;
    once |= owned;
  }
  return twice;
}

/** The last heartbeat in which orphans of a crash may be uncovered: GUARANTEES. */
export function lastGapBeat({ failureBeats }: World, crash: Crash): number {
  return crash.heardBeat + failureBeats + 2;
}
