/**
 * The kernel's event of a change leaves out what has not changed: the state of the protocol, the
 * shift of sequence numbers, the master (ctnetlink_conntrack_event in nf_conntrack_netlink.c). None
 * of them ever goes away again, so what is not told is as it was.
 */
import type { Replicated } from "./record.js";

/** @param known what was told of the same record before, if anything was */
export function completed(record: Replicated, known: Replicated | undefined): Replicated {
  if (record.kind !== "flow" || known?.kind !== "flow") return record;
  const isWhole =
    (record.state !== "none" || known.state === "none") &&
    (record.master !== null || known.master === null) &&
    (record.shifts !== null || known.shifts === null) &&
    (record.vtags !== null || known.vtags === null);
  if (isWhole) return record;
  return {
    ...record,
    state: record.state === "none" ? known.state : record.state,
    master: record.master ?? known.master,
    shifts: record.shifts ?? known.shifts,
    vtags: record.vtags ?? known.vtags,
  };
}
