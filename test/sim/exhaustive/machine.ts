/**
 * One machine of the explored world: a node, unchanged production code, and its kernel's lease.
 *
 * The transport is left out: a datagram is header and body, authentic and new. So the search may
 * deliver the same datagram twice, as two links do, and equal bodies are equal datagrams.
 */
import {
  encodeHeader,
  HEADER_BYTES,
  headerFault,
  readHeader,
} from "../../../src/cluster/frame/header.js";
import {
  type Heartbeat,
  isHeartbeat,
  readHeartbeat,
} from "../../../src/cluster/frame/heartbeat.js";
import { ClusterNode } from "../../../src/cluster/node.js";
import type { ClusterEvent, Output } from "../../../src/cluster/output.js";
import { bitmapOf, type Run } from "../../../src/cluster/ranges/bitmap.js";
import { newRefusalCounters } from "../../../src/cluster/refusal.js";
import { type ClusterSettings, clusterSettings } from "../../../src/cluster/settings.js";
import { type Opened, Transport } from "../../../src/cluster/transport/transport.js";
import { partsOf } from "../peek.js";
import { fork } from "./fork.js";

export const HEARTBEAT_MS = 50;

/** A set of buckets; the explored worlds have at most 31. */
export type Mask = number;

export function maskOf(runs: readonly Run[], buckets: number): Mask {
  return bitmapOf(runs, buckets)[0];
}

class PlainTransport extends Transport {
  private own = 0n;

  constructor(private readonly plain: ClusterSettings) {
    super(plain, newRefusalCounters());
  }

  override restart(incarnation: bigint): void {
    this.own = incarnation;
  }

  override seal(link: number, body: Uint8Array): Uint8Array {
    const { id: sender } = this.plain;
    const header = { sender, link, cluster: 0, incarnation: this.own, counter: 0 };
    const bytes = new Uint8Array(HEADER_BYTES + body.length);
    bytes.set(encodeHeader(header));
    bytes.set(body, HEADER_BYTES);
    return bytes;
  }

  override open(bytes: Uint8Array): Opened | null {
    if (headerFault(bytes)) return null;
    return { header: readHeader(bytes), body: bytes.subarray(HEADER_BYTES) };
  }
}

/** Randomness that is forked with the node: the n-th draw of a node is always the same. */
class Draws {
  private count = 0;

  constructor(private readonly id: number) {}

  random(): bigint {
    this.count += 1;
    const mixed = BigInt(this.id * 1000 + this.count) * 0x9e3779b97f4a7c15n;
    return BigInt.asUintN(64, mixed ^ (mixed >> 29n));
  }
}

export interface Machine {
  readonly id: number;
  readonly node: ClusterNode;
  readonly inputs: Draws;
  readonly settings: ClusterSettings;
  /** What the kernel accepts until `untilMs`. */
  owned: Mask;
  untilMs: number;
  /** The longest lease that was granted at once. */
  leaseMs: number;
  /** `drained` was said: whoever asked for the drain lets it leave next. */
  isDrained: boolean;
  hasLeft: boolean;
  readonly startMs: number;
}

export function newMachine(
  id: number,
  buckets: number,
  failureBeats: number,
  now: number,
): Machine {
  const settings = clusterSettings({
    id,
    name: "exhaustive",
    secret: new Uint8Array(32),
    buckets,
    configDigest: 1n,
    heartbeatMs: HEARTBEAT_MS,
    failureMs: failureBeats * HEARTBEAT_MS,
    handoverStep: 2,
  });
  const inputs = new Draws(id);
  const node = new ClusterNode(settings, inputs, now);
  const transport = new PlainTransport(settings);
  transport.restart(node.snapshot(now).incarnation);
  Object.assign(node, { transport });
  Object.assign((node as unknown as { out: object }).out, { transport });
  const owned = 0;
  const untilMs = Number.NEGATIVE_INFINITY;
  const state = { owned, untilMs, leaseMs: 0, isDrained: false, hasLeft: false, startMs: now };
  return { id, node, inputs, settings, ...state };
}

export function leased(machine: Machine, now: number): Mask {
  return now < machine.untilMs ? machine.owned : 0;
}

/** What one step of a machine did, besides changing it. */
export interface Deeds {
  readonly sent: Uint8Array[];
  readonly events: ClusterEvent[];
  /** What a single node must never do. */
  readonly faults: string[];
}

/** The machine after `call`, as a new one, and what it did. */
export function stepped(
  before: Machine,
  now: number,
  call: (machine: Machine) => Output[],
): { machine: Machine; deeds: Deeds } {
  const machine = fork(before, [before.settings]);
  const deeds: Deeds = { sent: [], events: [], faults: [] };
  const epoch = machine.node.epoch;
  for (const output of call(machine)) carryOut(machine, output, deeds, now);
  if (machine.node.epoch < epoch) {
    deeds.faults.push(`R5: the epoch went back from ${epoch} to ${machine.node.epoch}`);
  }
  checkEntry(before, machine, deeds, now);
  return { machine, deeds };
}

/** How a node takes part: M2, M3, R8 of docs/RELIABILITY.md. */
function checkEntry(before: Machine, after: Machine, { events, faults }: Deeds, now: number): void {
  const { joinMs, handoverStep, buckets } = after.settings;
  for (const event of events) {
    if (event.name === "state" && event.state === "syncing" && now - after.startMs < joinMs) {
      faults.push(`M3: takes part after listening for ${now - after.startMs} ms, not ${joinMs}`);
    }
    if (event.name !== "claim" || event.cause !== "planned") continue;
    const claimed = maskOf(event.runs, buckets);
    if (countOf(claimed) > handoverStep) faults.push(`R8: claims ${bucketsText(claimed)} at once`);
  }
  const heard = partsOf(before.node).standing.peers;
  for (const peer of partsOf(after.node).standing.peers.all()) {
    const known = heard.all().find(({ node }) => node === peer.node);
    if (known?.incarnation !== peer.incarnation || peer.tick >= known.tick) continue;
    faults.push(`M2: obeys heartbeat ${peer.tick} of node ${peer.node} after ${known.tick}`);
  }
}

function countOf(mask: Mask): number {
  return mask === 0 ? 0 : 1 + countOf(mask & (mask - 1));
}

function carryOut(machine: Machine, output: Output, deeds: Deeds, now: number): void {
  switch (output.kind) {
    case "send":
      checkClaim(machine, output.bytes, deeds, now);
      deeds.sent.push(output.bytes);
      return;
    case "lease":
      machine.owned = output.owned[0];
      machine.untilMs = output.untilMs;
      machine.leaseMs = Math.max(machine.leaseMs, output.untilMs - now);
      return;
    case "revoke":
      machine.untilMs = Number.NEGATIVE_INFINITY;
      return;
    case "event":
      deeds.events.push(output.event);
      return;
    case "drained":
      machine.isDrained = true;
      return;
    case "left":
      machine.hasLeft = true;
      return;
    case "fatal":
      deeds.faults.push(`fatal: ${output.message}`);
  }
}

/** A claim takes effect in this order: lease, then word to the others. */
function checkClaim(machine: Machine, bytes: Uint8Array, deeds: Deeds, now: number): void {
  const beat = heartbeatOf(bytes);
  if (!beat) return;
  const bare = maskOf(beat.runs, machine.settings.buckets) & ~leased(machine, now);
  if (bare !== 0) deeds.faults.push(`claimed without a lease: ${bucketsText(bare)}`);
}

export function heartbeatOf(bytes: Uint8Array): Heartbeat | null {
  const body = bytes.subarray(HEADER_BYTES);
  return isHeartbeat(body) ? readHeartbeat(body) : null;
}

export function bucketsText(mask: Mask): string {
  const buckets = [...Array(31).keys()].filter((bucket) => (mask >>> bucket) & 1);
  return buckets.length === 0 ? "nothing" : buckets.join(",");
}
