/** The parts of the simulated world: machines, datagrams, faults, and chance by seed. */
import type { ClusterNode } from "../../src/cluster/node.js";
import type { ClusterEvent, FlowInput, Output } from "../../src/cluster/output.js";
import { type Bitmap, emptyBitmap } from "../../src/cluster/ranges/bitmap.js";
import {
  type ClusterInputs,
  type ClusterSettings,
  clusterSettings,
} from "../../src/cluster/settings.js";

export const SECRET = new Uint8Array(32).fill(7);
export const TICK_MS = 10;

export type Settings = Parameters<typeof clusterSettings>[0];

export interface Faults {
  /** Share of datagrams lost, and of those delivered twice. */
  loss: number;
  duplication: number;
  /** Milliseconds on the way, drawn evenly; more than a beat apart means reordering. */
  delayMs: readonly [number, number];
}

export interface Datagram {
  readonly from: number;
  readonly to: Machine;
  readonly link: number;
  readonly bytes: Uint8Array;
}

/** A machine: it may run a node, and its kernel keeps the lease. */
export interface Machine {
  readonly id: number;
  node: ClusterNode | null;
  leaseUntilMs: number;
  owned: Bitmap;
  pausedUntilMs: number;
  inbox: { link: number; bytes: Uint8Array }[];
  readonly events: ClusterEvent[];
  readonly said: Output["kind"][];
  /** What its upper layers were told. */
  readonly ups: FlowInput[];
  fatal: string;
  readonly phase: number;
  readonly settings: ClusterSettings;
  readonly inputs: Partial<ClusterInputs>;
}

/** mulberry32: small, and good enough to choose faults. */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A machine that is switched off. @param phase milliseconds by which its ticks are shifted */
export function newMachine(
  settings: Settings,
  inputs: Partial<ClusterInputs>,
  phase: number,
): Machine {
  return {
    id: settings.id,
    node: null,
    leaseUntilMs: Number.NEGATIVE_INFINITY,
    owned: emptyBitmap(settings.buckets),
    pausedUntilMs: Number.NEGATIVE_INFINITY,
    inbox: [],
    events: [],
    said: [],
    ups: [],
    fatal: "",
    phase,
    settings: clusterSettings(settings),
    inputs,
  };
}
