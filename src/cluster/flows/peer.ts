/** What a node knows of one peer's table, and how well it follows it. */
import type { Follower } from "../broadcast/broadcast.js";
import type { Member } from "../membership/view.js";

/** A section that is arriving: what is not named until its end is not there at the owner. */
export interface ArrivingSection {
  readonly bucket: number;
  readonly unseen: Set<string>;
}

export class PeerFlows {
  /** Whether its table has arrived since the stream was begun. */
  isComplete = false;
  /** Whether this node has stopped to wait for the table. */
  isStalled = false;
  section: ArrivingSection | null = null;
  /** Flows the arriving table is said to have, and how many came. */
  tableFlows = 0;
  arrivedFlows = 0;
  drift = 0;
  /** Number of the frame the table began with. */
  base = 0;
  repairMs = Number.NEGATIVE_INFINITY;

  constructor(
    /** When the table last moved on. */
    public movedMs: number,
  ) {}

  /** The table is asked for, or begins. */
  reset(): void {
    this.isComplete = false;
    this.section = null;
    this.tableFlows = 0;
    this.arrivedFlows = 0;
  }
}

/** Sync health of one peer, for `status` and metrics. */
export interface PeerHealth extends Member {
  /** Whether its stream is followed at all, and its table is complete. */
  readonly isFollowing: boolean;
  readonly isComplete: boolean;
  readonly isStalled: boolean;
  /** Share of the table that has arrived, 0..1. */
  readonly progress: number;
  /** The next frame awaited, and how many are known to be sent and not here. */
  readonly sequence: number;
  readonly lag: number;
  /** Milliseconds since something new of the stream arrived. */
  readonly ageMs: number;
  /** NAKs sent to it (its frames are lost on the way here) and heard from it (ours are). */
  readonly naksSent: number;
  readonly naksHeard: number;
  readonly outOfSync: number;
  /** Buckets found to differ. */
  readonly drift: number;
}

export function peerHealth(follower: Follower, flows: PeerFlows, now: number): PeerHealth {
  const { node, incarnation, stream, naksSent, naksHeard, outOfSync } = follower;
  const { isComplete, isStalled, drift, tableFlows, arrivedFlows } = flows;
  const share = tableFlows === 0 ? 0 : Math.min(1, arrivedFlows / tableFlows);
  return {
    ...{ node, incarnation, isComplete, isStalled, naksSent, naksHeard, outOfSync, drift },
    isFollowing: stream.isFollowing,
    progress: isComplete ? 1 : share,
    sequence: stream.expected,
    lag: stream.lag,
    ageMs: now - follower.heardMs,
  };
}
