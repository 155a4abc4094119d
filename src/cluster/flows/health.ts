/** The state of replication at one moment, for `status`, `flows` and metrics. */

import type { HoldReport } from "./hold.js";
import { degradedText, type PeerHealth, peerHealth } from "./peer.js";
import type { ResidenceReport } from "./residence.js";
import type { ResyncReport } from "./resync.js";
import type { FlowSync } from "./sync.js";

export interface FlowHealth {
  /** Whether the tables of all peers are here. */
  readonly isSynced: boolean;
  /** Why what is told of the own flows may be out of date, and for how long so far. */
  readonly degraded: { readonly why: string; readonly forMs: number } | null;
  /** The last resync that was asked for; null: there was none. */
  readonly resync: ResyncReport | null;
  readonly flows: number;
  readonly flowsMax: number;
  readonly tombstones: number;
  /** Changes that wait for their window or for room on the wire. */
  readonly backlog: number;
  /** Number of the next own frame, and how many are kept for repair. */
  readonly sequence: number;
  readonly sendBufferFill: number;
  /** Frames of peers that were not handed on in order, each once: has to be 0. */
  readonly deliveredOutOfOrder: number;
  /** Buckets known to differ from their owner's. */
  readonly driftedBuckets: number;
  /** Null where nothing is ever held. */
  readonly hold: HoldReport | null;
  /** Of buckets whose flows come into the kernel with them; null where all are there beforehand. */
  readonly residence: ResidenceReport | null;
  readonly peers: readonly PeerHealth[];
  readonly counters: Readonly<Record<string, number>>;
}

export function healthOf(sync: FlowSync, now: number): FlowHealth {
  const { shelf, broadcast, author, audit, peers, replica } = sync;
  const { degraded } = audit;
  const { total } = broadcast.buffer;
  const followers = broadcast.peers();
  return {
    isSynced: peers.areSettled(followers),
    degraded: degraded && degradedText(degraded.reasons, now - degraded.sinceMs),
    resync: sync.resync.report(now),
    flows: shelf.table.size,
    flowsMax: shelf.table.max,
    tombstones: shelf.tombstones.size,
    backlog: author.backlog,
    sequence: broadcast.buffer.next,
    sendBufferFill: broadcast.buffer.fill,
    deliveredOutOfOrder: broadcast.order.violations,
    driftedBuckets: replica.drifted.size,
    hold: sync.hold.report(now),
    residence: shelf.residence?.report() ?? null,
    peers: followers.map((follower) => peerHealth(follower, peers.of(follower), total, now)),
    counters: countersOf(sync),
  };
}

/** All counters by name; a name is used by one part only, but for `removed` and `late`. */
function countersOf(sync: FlowSync): Record<string, number> {
  const { shelf, broadcast, author, audit, replica, sections } = sync;
  const { removed, late, ...applied } = replica.counters;
  return {
    ...broadcast.counters,
    naksTooSoon: broadcast.repairs.tooSoon,
    ...author.counters,
    ...audit.counters,
    ...sync.hold.counters,
    ...sections.counters,
    ...shelf.table.counters,
    ...shelf.residence?.counters,
    ...applied,
    removedHere: removed,
    lateHere: late,
    forgotten: shelf.tombstones.forgotten,
    youngDropped: author.young.dropped + author.strays.dropped,
    malformedOps: sync.receiver.malformed,
  };
}
