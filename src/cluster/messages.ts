/** What the control thread and the main thread say to each other. */
import type { MessagePort } from "node:worker_threads";
import type { PassingMap } from "../kernel/bpf/passing.js";
import type { SharedBuffer } from "../state/layout.js";
import type { ClusterEvent } from "./output.js";
import type { SelfCheckCounters } from "./self-check.js";
import type { ClusterSettings } from "./settings.js";
import type { Snapshot } from "./snapshot.js";
import type { StallSettings } from "./stalls.js";
import type { LinkSettings } from "./transport/udp.js";

/** What `main` gives to the thread. */
export interface ControlThreadData extends StallSettings {
  readonly settings: ClusterSettings;
  readonly links: readonly LinkSettings[];
  readonly shared: SharedBuffer;
  readonly table: string;
  readonly markMask: number;
  /** The buckets that the early drop lets pass; null without it. */
  readonly passing: PassingMap | null;
  /** Whether flows come into the kernel only when their bucket does. */
  readonly isCold: boolean;
  /** To the sync thread. */
  readonly sync: MessagePort;
}

export type ControlRequest =
  | { readonly kind: "fit"; readonly reasons: readonly string[] }
  | { readonly kind: "probe"; readonly ok: boolean }
  | { readonly kind: "drain" | "join" | "leave" | "snapshot" };

export interface ControlSnapshot extends Snapshot {
  /** Datagrams sent, per link. */
  readonly sent: readonly number[];
  /** Errors of the sockets, by errno name. */
  readonly socketErrors: Readonly<Record<string, number>>;
  /**
   * Why the node does not take part: threads that stand still, or rules that are gone. Empty: it
   * does.
   */
  readonly halted: string;
  /** Each has to be 0. */
  readonly invariants: Readonly<SelfCheckCounters>;
}

export type ControlReply =
  | { readonly kind: "snapshot"; readonly snapshot: ControlSnapshot }
  | { readonly kind: "event"; readonly event: ClusterEvent }
  | { readonly kind: "drained" }
  | { readonly kind: "rulesLost" | "fatal"; readonly message: string };
