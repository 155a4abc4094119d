/** What flow replication needs to know. */
import { BUCKETS, SYNC_FLOWS, SYNC_HOLD_MS, SYNC_WINDOW_MS } from "../../config/limits.js";
import { BODY_BYTES, SEND_BUFFER_FRAMES, UNREPLIED_WINDOWS } from "../limits.js";
import type { Replicated } from "./record.js";

export interface FlowSettings {
  /** This node, 1..255. */
  readonly node: number;
  readonly buckets: number;
  /** A flow that lives shorter than this many milliseconds costs nothing on the wire. */
  readonly windowMs: number;
  /** The same for a flow that nobody has replied to. */
  readonly unrepliedMs: number;
  /** Records of the table. */
  readonly flowsMax: number;
  /** Bytes of a body. */
  readonly bodyBytesMax: number;
  /** Frames of the send buffer, a power of two, the same on all nodes. */
  readonly frames: number;
  /** Milliseconds that a reply is held at most. */
  readonly holdMs: number;
  /** Whether only the opener's address is hashed: a flow's answer may name another bucket. */
  readonly isOpenerHashed: boolean;
  /** Whether this node's kernel does not see the packets of foreign flows. */
  readonly isBlind: boolean;
  /**
   * Whether another node's record may stay out of this kernel until its bucket comes; null: none
   * may.
   */
  readonly mayBeOut: ((record: Replicated) => boolean) | null;
  /** Whether a record is replicated, and may be put into this node's kernel: the `sync` filters. */
  isWanted(record: Replicated): boolean;
  /** An unpredictable u32. */
  random32(): number;
}

type Given = Pick<FlowSettings, "node" | "random32"> & Partial<FlowSettings>;

/** Settings with every default filled in. */
export function flowSettings(given: Given): FlowSettings {
  const windowMs = given.windowMs ?? (SYNC_WINDOW_MS.fallback as number);
  return {
    buckets: BUCKETS.fallback as number,
    windowMs,
    unrepliedMs: windowMs * UNREPLIED_WINDOWS,
    flowsMax: SYNC_FLOWS.fallback as number,
    bodyBytesMax: BODY_BYTES,
    frames: SEND_BUFFER_FRAMES,
    holdMs: SYNC_HOLD_MS.fallback as number,
    isOpenerHashed: false,
    isBlind: false,
    mayBeOut: null,
    isWanted: () => true,
    ...given,
  };
}
