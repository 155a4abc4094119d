/**
 * A node's own state as a pure function.
 *
 *      joining --heard enough--> syncing --in sync--> active --drain, unfit--> draining
 *         ^                         |                   |                         |
 *         '------ may not serve ----'--- may not serve -'     fit again: joining, or active
 *                                                             while it still owns something
 *
 * A joining node listens for longer than `failureMs` first: by then its peers have given up on its
 * former incarnation, and it knows all of them.
 */
import type { State } from "../frame/kind.js";

export interface LifeFacts {
  /** Drain was asked for, or the node's own status is bad. */
  readonly isLeaving: boolean;
  readonly hasListened: boolean;
  /** Active peers differ in a setting that all must share. */
  readonly isForeign: boolean;
  readonly mayServe: boolean;
  readonly isSynced: boolean;
  readonly ownsBuckets: boolean;
}

/** The state after one look at the facts; at most one step. */
export function nextState(state: State, facts: LifeFacts): State {
  switch (state) {
    case "joining":
      if (facts.isLeaving) return "draining";
      return facts.hasListened && facts.mayServe && !facts.isForeign ? "syncing" : "joining";
    case "syncing":
      if (facts.isLeaving) return "draining";
      if (!facts.mayServe) return "joining";
      return facts.isSynced ? "active" : "syncing";
    case "active":
      if (!facts.mayServe) return "joining";
      return facts.isLeaving ? "draining" : "active";
    case "draining":
      if (facts.isLeaving) return "draining";
      return facts.ownsBuckets ? "active" : "joining";
  }
}
