/** What the reducer asks for. Outputs are to be carried out in the order given. */
import type { State } from "./frame/kind.js";
import type { Member } from "./membership/view.js";
import type { Bitmap, Run } from "./ranges/bitmap.js";

export type ClaimCause = "takeover" | "uncovered" | "planned";
export type ReleaseCause = "handover" | "drain" | "yield" | "lapse" | "stall" | "leave" | "twin";

/** For logs and `shardwall events`; nothing depends on them. */
export type ClusterEvent =
  | { readonly name: "nodeUp"; readonly node: number; readonly incarnation: bigint }
  | {
      readonly name: "nodeDown";
      readonly node: number;
      readonly cause: "silent" | "left";
      /** Milliseconds since something was last heard of it. */
      readonly silentMs: number;
      /** Buckets of it that this node has taken over. */
      readonly takenOver: number;
    }
  | { readonly name: "state"; readonly state: State; readonly reasons: readonly string[] }
  | { readonly name: "view"; readonly epoch: number; readonly members: readonly number[] }
  | { readonly name: "claim"; readonly cause: ClaimCause; readonly runs: readonly Run[] }
  | {
      readonly name: "release";
      readonly cause: ReleaseCause;
      /** The new owner; 0 where there is none to name. */
      readonly to: number;
      readonly runs: readonly Run[];
    }
  /** All claimed buckets are leased; `late` of them had to be without their flows. */
  | { readonly name: "installed"; readonly waitedMs: number; readonly late: number }
  | { readonly name: "lapsed" /** Since the last renewal. */; readonly pausedMs: number }
  | { readonly name: "configMismatch"; readonly node: number }
  /** Nothing of `node` arrives here on the link, or nothing of ours there; or it does again. */
  | {
      readonly name: "linkSilent" | "linkBack";
      readonly node: number;
      readonly link: number;
      readonly end: "here" | "there";
    }
  | { readonly name: "twin"; readonly incarnation: bigint };

/** What broadcast and flow replication are told: they may run in another thread. */
export type FlowInput =
  /** This node begins a new incarnation; of peers it knows nothing any more. */
  | { readonly kind: "self"; readonly self: Member }
  | { readonly kind: "peerUp" | "peerDown"; readonly peer: Member }
  /** A body of a live, compatible peer. */
  | { readonly kind: "body"; readonly from: Member; readonly body: Uint8Array }
  /** The newest DATA frame that a peer says to have sent. */
  | { readonly kind: "sent"; readonly from: Member; readonly sequence: number }
  /** Buckets are to be claimed from others: is what was said of their flows still so? */
  | { readonly kind: "ask"; readonly atMs: number }
  | Want;

/** Buckets whose flows are to be in the kernel: claimed ones, and those to be claimed soon. */
export interface Want {
  readonly kind: "want";
  readonly claimed: Bitmap;
  readonly planned: Bitmap;
  /** Higher than that of the last one; goes back with the answer. */
  readonly ticket: number;
}

export type Output =
  | { readonly kind: "send"; readonly link: number; readonly bytes: Uint8Array }
  /** Accept packets of `owned` until `untilMs` (CLOCK_BOOTTIME); replaces the lease before. */
  | { readonly kind: "lease"; readonly untilMs: number; readonly owned: Bitmap }
  /** Accept nothing from now on. */
  | { readonly kind: "revoke" }
  | { readonly kind: "up"; readonly input: FlowInput }
  /** Nothing is owned any more and a drain was asked for; the process may leave. */
  | { readonly kind: "drained" }
  /** The last LEAVE is out; nothing more will come. */
  | { readonly kind: "left" }
  /** This node must stop: its process ends with `message`. */
  | { readonly kind: "fatal"; readonly message: string }
  | { readonly kind: "event"; readonly event: ClusterEvent };
