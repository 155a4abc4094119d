/** What the sync thread is told and what it tells, by the main thread and by control. */
import type { MessagePort } from "node:worker_threads";
import type { FlowDescription, OutFlows, OutPlace } from "../flows/description.js";
import type { FlowHealth } from "../flows/health.js";
import type { FlowEvent } from "../flows/output.js";
import type { FlowInput } from "../output.js";
import type { Bitmap } from "../ranges/bitmap.js";
import type { ColdView } from "./cold.js";
import type { ScopeSettings } from "./scope.js";

/** What `main` gives to the thread. */
export interface SyncThreadData {
  /** To the control thread. */
  readonly control: MessagePort;
  readonly node: number;
  readonly buckets: number;
  readonly markMask: number;
  readonly windowMs: number;
  readonly flowsMax: number;
  /** Whether only the address is hashed that opened a flow. */
  readonly isOpenerHashed: boolean;
  /** IANA numbers of the protocols that are replicated. */
  readonly protocols: readonly number[];
  /** Whether foreign packets are dropped before connection tracking, and of which modes all. */
  readonly earlyDrop: EarlyDropView | null;
  /** How replicas are kept out of the kernel; null: they are not. */
  readonly cold: ColdView | null;
  readonly scope: ScopeSettings;
  readonly eventBufferBytes: number;
  /** Milliseconds that replies are held at most; 0: none is. */
  readonly holdMs: number;
  /** eventfd of the thread that holds them; -1 without. */
  readonly holdWakeFd: number;
}

/** What the sync thread has to know of the early drop. */
export interface EarlyDropView {
  /** Whether the kernel sees no packet of foreign flows, and not just none that opens one. */
  readonly isBlind: boolean;
  /** Addresses that `nat` translates to. */
  readonly translated: readonly Uint8Array[];
}

/** From the control thread. */
export type SyncRequest =
  | FlowInput
  | { readonly kind: "range"; readonly owned: Bitmap; readonly epoch: number }
  | { readonly kind: "end" };

/** What is true of one incarnation of this node only. */
export type StreamReply = { readonly incarnation: bigint } & (
  | { readonly kind: "send"; readonly body: Uint8Array }
  | { readonly kind: "synced"; readonly isSynced: boolean }
  | { readonly kind: "ready"; readonly owners: Uint8Array }
  | { readonly kind: "answer"; readonly atMs: number }
  | { readonly kind: "usable"; readonly buckets: Bitmap; readonly ticket: number }
);

/** To the control thread. */
export type SyncReply =
  | StreamReply
  /** Whether every flow comes back with the bucket that its packets hash to. */
  | { readonly kind: "straight"; readonly isStraight: boolean };

export interface SyncSnapshot extends FlowHealth {
  /** Memory in use of the thread's JavaScript heap, which holds the table. */
  readonly heapBytes: number;
  /** Whether the kernel is listened to: a node that is alone with all buckets does not. */
  readonly isAttending: boolean;
  /** Times that the kernel left events out. */
  readonly overruns: number;
  /** Operations that the kernel refused, by errno name. */
  readonly refused: Readonly<Record<string, number>>;
}

/** From the main thread. */
export type SyncQuery =
  | { readonly kind: "snapshot" | "resync" }
  /** What is known of the flows with these keys. */
  | { readonly kind: "describe"; readonly keys: readonly string[] }
  /** Replicas that are not in the kernel, from a place on. */
  | { readonly kind: "out"; readonly from: OutPlace };

/** To the main thread; queries are answered in their order. */
export type SyncNews =
  | { readonly kind: "snapshot"; readonly snapshot: SyncSnapshot }
  | { readonly kind: "described"; readonly flows: readonly (FlowDescription | null)[] }
  | { readonly kind: "out"; readonly out: OutFlows }
  | { readonly kind: "event"; readonly event: FlowEvent };
