/**
 * When replication wants its next tick. Ticks are TICK_MS apart at least: what one sends at most
 * bounds what is sent in a second.
 */
import { TICK_MS } from "../limits.js";
import type { FlowSync } from "./sync.js";

/** An input may make it earlier: ask again after each. */
export function nextDueOf(sync: FlowSync): number {
  const { acks, rounds, author, audit } = sync;
  const soonestMs = sync.tickedMs + TICK_MS;
  if (isUnderWay(sync)) return soonestMs;
  const dueMs = Math.min(acks.dueMs, rounds.dueMs, author.young.dueMs, audit.dueMs);
  return Math.max(soonestMs, dueMs);
}

function isUnderWay(sync: FlowSync): boolean {
  const { author, replica, broadcast, sections, peers, ledger, hold, resync } = sync;
  const { readiness, shelf } = sync;
  return (
    author.backlog > author.young.size || // the rest does not wait for a window
    replica.drifted.size + replica.outdated.size > 0 ||
    broadcast.repairs.size > 0 ||
    broadcast.peers().some(({ stream }) => !stream.isFollowing || stream.lag > 0) ||
    sections.isBusy ||
    broadcast.peers().some((peer) => !peers.of(peer).isComplete) ||
    ledger.isContested ||
    hold.isUnderWay ||
    resync.isRunning ||
    readiness.isOld ||
    shelf.residence?.isUnderWay === true
  );
}
