/** What a node knows of one peer's table, and how well it follows it. */
import type { Acknowledged, Follower } from "../broadcast/follower.js";
import { DEGRADED } from "../frame/ack.js";
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
  /** REPAIRs sent to it, and when the last one was. */
  repairs = 0;
  repairMs = Number.NEGATIVE_INFINITY;

  constructor(
    /** When the table last moved on. */
    public movedMs: number,
  ) {}

  /** The table is asked for, or begins. */
  reset(now: number): void {
    this.isComplete = false;
    this.isStalled = false;
    this.movedMs = now;
    this.section = null;
    this.tableFlows = 0;
    this.arrivedFlows = 0;
  }
}

/** What a peer says of how it follows this node: the other direction. */
export interface PeerThere {
  readonly isFollowing: boolean;
  /** Whether our table is complete there. */
  readonly isComplete: boolean;
  /** Our frames that it knows of and lacks. */
  readonly lag: number;
  /** Our frames that it has not acknowledged yet. */
  readonly unacknowledged: number;
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
  /** Times that its stream was lost, and its whole table had to be sent. */
  readonly outOfSync: number;
  /** Buckets found to differ, and requests to repair them. */
  readonly drift: number;
  readonly repairs: number;
  /** Milliseconds since its last acknowledgement; null: it has sent none. */
  readonly ackAgeMs: number | null;
  /** Null while it says nothing about our stream: it does not hear us. */
  readonly there: PeerThere | null;
  /** Why what it tells may be out of date, and for how long so far; null: it is well. */
  readonly degraded: { readonly why: string; readonly forMs: number } | null;
  /** Times that it was not well. */
  readonly degradations: number;
}

/** @param total frames this node has sent */
export function peerHealth(
  follower: Follower,
  flows: PeerFlows,
  total: number,
  now: number,
): PeerHealth {
  const { node, incarnation, stream, naksSent, naksHeard, outOfSync, acknowledged } = follower;
  const { isComplete, isStalled, drift, repairs, tableFlows, arrivedFlows } = flows;
  const share = tableFlows === 0 ? 0 : Math.min(1, arrivedFlows / tableFlows);
  return {
    ...{ node, incarnation, isComplete, isStalled, naksSent, naksHeard, outOfSync, drift, repairs },
    isFollowing: stream.isFollowing,
    progress: isComplete ? 1 : share,
    sequence: stream.expected,
    lag: stream.lag,
    ageMs: now - follower.heardMs,
    ackAgeMs: Number.isFinite(follower.ackMs) ? now - follower.ackMs : null,
    there: acknowledged && thereOf(acknowledged, total),
    degradations: follower.degradations,
    degraded: degradedText(follower.degraded, now - follower.degradedSinceMs),
  };
}

function thereOf({ frames, ...rest }: Acknowledged, total: number): PeerThere {
  return { ...rest, unacknowledged: Math.max(0, total - frames) };
}

/** The state of a node in words. @param reasons bits of DEGRADED */
export function degradedText(reasons: number, forMs: number) {
  if (reasons === 0) return null;
  const isLoss = (reasons & DEGRADED.EVENTS_LOST) !== 0;
  return { why: isLoss ? "kernel events lost" : "reading the kernel's table", forMs };
}
