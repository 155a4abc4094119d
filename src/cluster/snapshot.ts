/** A node's picture of the cluster at one moment, for `status`, `nodes`, `ranges`, metrics. */
import type { State } from "./frame/kind.js";
import type { Peer } from "./membership/peers.js";
import { type Run, runsOf } from "./ranges/bitmap.js";
import type { RefusalCounters } from "./refusal.js";
import type { Standing } from "./standing.js";

export interface LinkSnapshot {
  /** Milliseconds since a beat of the peer arrived on this link; null: never. */
  readonly ageMs: number | null;
  readonly received: number;
  readonly address: string;
  /** Whether the peer hears this node on this link, as it says; null: it has not said yet. */
  readonly isHeardThere: boolean | null;
}

export interface PeerSnapshot {
  readonly node: number;
  readonly state: State;
  readonly incarnation: bigint;
  readonly epoch: number;
  /** Whether it shares the settings that all nodes must share. */
  readonly isCompatible: boolean;
  readonly runs: readonly Run[];
  readonly links: readonly LinkSnapshot[];
}

export interface Snapshot {
  readonly node: number;
  readonly incarnation: bigint;
  readonly state: State;
  /** Why it is not active, or would rather not be. */
  readonly reasons: readonly string[];
  readonly epoch: number;
  readonly view: readonly number[];
  readonly runs: readonly Run[];
  readonly ownedBuckets: number;
  /** What of it is leased: all but what waits for its flows. */
  readonly leasedRuns: readonly Run[];
  /** Buckets that wait so, and how many were leased without, ever. */
  readonly waitingBuckets: number;
  readonly leasedLate: number;
  /** Milliseconds the lease still lasts; 0 without one. */
  readonly leaseMsLeft: number;
  /** Buckets claimed by this node and by another at once. */
  readonly overlapBuckets: number;
  /** Buckets in nobody's claim now, and for how many milliseconds in all there were any. */
  readonly uncoveredBuckets: number;
  readonly uncoveredMs: number;
  readonly peers: readonly PeerSnapshot[];
  readonly refused: Readonly<RefusalCounters>;
}

export function snapshotOf(
  standing: Standing,
  refused: RefusalCounters,
  reasons: readonly string[],
  now: number,
): Snapshot {
  const { self, view, holding, peers } = standing;
  const { keeper, lease } = holding;
  return {
    node: self.identity.node,
    incarnation: self.identity.incarnation,
    state: self.state,
    reasons,
    epoch: view.epoch,
    view: view.ids,
    runs: runsOf(keeper.mine),
    ownedBuckets: keeper.count,
    leasedRuns: runsOf(holding.leased),
    waitingBuckets: holding.waiting.count,
    leasedLate: holding.waiting.lateTotal,
    leaseMsLeft: Math.max(0, lease.untilMs - now),
    overlapBuckets: keeper.overlap,
    uncoveredBuckets: keeper.uncovered.count,
    uncoveredMs: keeper.uncovered.totalMs,
    peers: peers.all().map((peer) => peerSnapshot(peer, now)),
    refused: { ...refused },
  };
}

function peerSnapshot(peer: Peer, now: number): PeerSnapshot {
  const { node, state, incarnation, epoch, isCompatible } = peer;
  const links = peer.links.map(({ heardMs, received, address, isHeardThere }) => ({
    ageMs: heardMs === null ? null : now - heardMs,
    received,
    address,
    isHeardThere,
  }));
  return { node, state, incarnation, epoch, isCompatible, runs: runsOf(peer.claim), links };
}
