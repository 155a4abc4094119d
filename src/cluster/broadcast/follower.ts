/** A peer: how its stream is followed here, and how it says to follow ours. */
import type { Member } from "../membership/view.js";
import { Stream } from "./stream.js";

/** What a peer said last about our stream. */
export interface Acknowledged {
  readonly isFollowing: boolean;
  /** Whether our table is complete there. */
  readonly isComplete: boolean;
  readonly lag: number;
  /** Frames of ours that it has, in the count of {@link SendBuffer.total}. */
  readonly frames: number;
}

/** A peer whose stream is followed, or is to be. */
export interface Follower extends Member {
  readonly stream: Stream;
  isUp: boolean;
  ticket: number;
  resyncMs: number;
  /** When something new of the stream last arrived. */
  heardMs: number;
  /** NAKs sent to it, and heard from it: one for each direction. */
  naksSent: number;
  naksHeard: number;
  outOfSync: number;
  /** Null until it has said something about our stream. */
  acknowledged: Acknowledged | null;
  /** Its newest ACK: number, and when it came. */
  ackNumber: number;
  ackMs: number;
  /** Why it is degraded (bits of DEGRADED), 0: it is well; since when; and how often it was. */
  degraded: number;
  degradedSinceMs: number;
  degradations: number;
}

/** A peer of which nothing is known yet. @param frames length of its send buffer */
export function newFollower({ node, incarnation }: Member, frames: number): Follower {
  return {
    node,
    incarnation,
    stream: new Stream(frames),
    isUp: true,
    ticket: 0,
    resyncMs: Number.NEGATIVE_INFINITY,
    heardMs: 0,
    naksSent: 0,
    naksHeard: 0,
    outOfSync: 0,
    acknowledged: null,
    ackNumber: 0,
    ackMs: Number.NEGATIVE_INFINITY,
    degraded: 0,
    degradedSinceMs: 0,
    degradations: 0,
  };
}

/** The newest incarnation of each peer that is or was there. */
export class Followers {
  private readonly known = new Map<number, Follower>();
  /** Those that are there; made anew after a change. */
  private sorted: readonly Follower[] | null = null;

  get(node: number): Follower | undefined {
    return this.known.get(node);
  }

  set(follower: Follower, isUp: boolean): void {
    follower.isUp = isUp;
    this.known.set(follower.node, follower);
    this.sorted = null;
  }

  clear(): void {
    this.known.clear();
    this.sorted = null;
  }

  /** Those that are there, by id. */
  up(): readonly Follower[] {
    this.sorted ??= [...this.known.values()]
      .filter(({ isUp }) => isUp)
      .sort((a, b) => a.node - b.node);
    return this.sorted;
  }
}
