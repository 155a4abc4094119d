/** What flow replication asks for. Outputs are to be carried out in the order given. */
import type { Member } from "../membership/view.js";
import type { Bitmap } from "../ranges/bitmap.js";
import type { Replicated } from "./record.js";

/** `arm`: the flow's helper is to go on from the next packet, whatever it has not seen. */
export type KernelOp = "create" | "update" | "delete" | "arm";

/** What the kernel tells: `gone` is a DESTROY, everything else is `alive`. */
export interface KernelEvent {
  readonly kind: "alive" | "gone";
  readonly record: Replicated;
}

/** For logs and `shardwall events`; nothing depends on them. */
export type FlowEvent =
  | { readonly name: "following"; readonly peer: Member }
  | { readonly name: "outOfSync"; readonly peer: Member }
  | { readonly name: "tableDone"; readonly peer: Member; readonly flows: number }
  /** A peer's table does not move on; this node no longer waits for it. */
  | { readonly name: "tableStalled"; readonly peer: Member }
  | { readonly name: "drift"; readonly peer: Member; readonly bucket: number }
  | { readonly name: "eventsLost" }
  /** A peer's flows may be out of date, for reasons of DEGRADED; it is well again. */
  | { readonly name: "peerDegraded"; readonly peer: Member; readonly reasons: number }
  | { readonly name: "peerWell"; readonly peer: Member }
  /** A peer is not waited for any more when replies are held; it is again. */
  | { readonly name: "cutOff" | "caughtUp"; readonly peer: Member }
  | {
      readonly name: "resync";
      readonly state: "running" | "done" | "failed";
      readonly reason: string;
    };

export type FlowOutput =
  /** To all nodes, on every link; at most the `bodyBytesMax` of the settings. */
  | { readonly kind: "send"; readonly body: Uint8Array }
  | { readonly kind: "kernel"; readonly op: KernelOp; readonly record: Replicated }
  /** Read the kernel's table again and hand it to `onDump`. */
  | { readonly kind: "dump" }
  /** Whether the tables of all peers are here. */
  | { readonly kind: "synced"; readonly isSynced: boolean }
  /** By bucket, the owner whose flows are here as it stated them; 0: nobody's are. */
  | { readonly kind: "ready"; readonly owners: Uint8Array }
  /** What was said last of what is ready is still so: the answer to the `ask` of that time. */
  | { readonly kind: "answer"; readonly atMs: number }
  /** Buckets whose flows are in the kernel, as an answer to the `want` of that ticket. */
  | { readonly kind: "usable"; readonly buckets: Bitmap; readonly ticket: number }
  /** Held replies with these tickets may leave. */
  | { readonly kind: "release"; readonly tickets: readonly number[] }
  | { readonly kind: "event"; readonly event: FlowEvent };
