/**
 * The verdict: a pure function of numbers, read from top to bottom.
 *
 *     lease over?                     -> lease-expired
 *     not cluster traffic?            -> not-cluster
 *     not dissected?                  -> the dissector's reason
 *     flow known here?                -> own-flow, foreign-flow
 *     bucket unknown or not ours?     -> no-state, foreign-new
 *     may it open a flow?             -> own-new
 *     pickup?                         -> own-pickup, else no-state
 *
 * The lease comes first, so a node that was paused drops whatever its queue still holds. The
 * dissector comes before the flow, so malformed bytes are never accepted on the strength of a known
 * flow.
 */
import { hasBucket } from "../../state/bucket-set.js";
import { Reason } from "../../state/reason.js";
import { Status } from "../dissect/bytes.js";
import { Kind } from "../dissect/packet.js";

/** What is known of the packet's flow, from its mark or from a table of flows. */
export const enum Flow {
  /** No flow is known: the packet's own bucket decides. */
  NONE = 0,
  OWN = 1,
  FOREIGN = 2,
  /** The packet is no cluster traffic and should not have been queued. */
  OUTSIDE = 3,
}

/** Bits of `options`. */
export const enum DecideOption {
  /** Take over TCP connections and other flows whose beginning was not seen. */
  PICKUP = 1,
  /** The hash is that of the opener alone (modes source and xt-cluster). */
  OPENER = 2,
}

/** A flow that is not known has no bucket. */
export const NO_BUCKET = -1;

/**
 * Whose flow it is that lives in `bucket`.
 *
 * @param bucket of the flow, or `NO_BUCKET`
 * @param ranges bitmap of the leased buckets
 */
export function flowOf(bucket: number, ranges: Int32Array): number {
  if (bucket === NO_BUCKET) return Flow.NONE;
  return hasBucket(ranges, bucket) ? Flow.OWN : Flow.FOREIGN;
}

/**
 * Decides one packet.
 *
 * @param leaseValid whether this node's lease holds now
 * @param status what `dissect` returned
 * @param kind class of the packet: `OPENS`, `FOLLOWS` or `QUOTES`
 * @param flow one of `Flow`
 * @param bucket of the packet's own tuple; looked at only with `Flow.NONE`
 * @param ranges bitmap of the leased buckets
 * @param options bits of `DecideOption`
 * @returns the `Reason`, which also is the verdict
 */
export function decide(
  leaseValid: boolean,
  status: number,
  kind: number,
  flow: number,
  bucket: number,
  ranges: Int32Array,
  options: number,
): number {
  if (!leaseValid) return Reason.LEASE_EXPIRED;
  if (flow === Flow.OUTSIDE) return Reason.NOT_CLUSTER;
  if (status !== Status.OK) return status;
  if (flow === Flow.OWN) return Reason.OWN_FLOW;
  if (flow === Flow.FOREIGN) return Reason.FOREIGN_FLOW;
  if (isOpenerUnknown(kind, options)) return Reason.NO_STATE;
  if (!hasBucket(ranges, bucket)) return Reason.FOREIGN_NEW;
  if (kind === Kind.OPENS) return Reason.OWN_NEW;
  return (options & DecideOption.PICKUP) !== 0 ? Reason.OWN_PICKUP : Reason.NO_STATE;
}

/**
 * An ICMP error quotes a packet of either direction. Where only the opener's address counts and the
 * flow is not known, nothing tells which of the two addresses that is.
 */
function isOpenerUnknown(kind: number, options: number): boolean {
  return kind === Kind.QUOTES && (options & DecideOption.OPENER) !== 0;
}
