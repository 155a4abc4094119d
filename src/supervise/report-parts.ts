/** Parts of the status that a thread's snapshot already has, in the form that is shown. */
import type { SyncReport } from "../api/report.js";
import type { ControlSnapshot } from "../cluster/messages.js";
import type { SyncSnapshot } from "../cluster/sync/messages.js";

/** JSON knows no 64-bit numbers: a peer is named by its node id. */
export function syncReport(snapshot: SyncSnapshot | null): SyncReport | null {
  if (snapshot === null) return null;
  const peers = snapshot.peers.map(({ incarnation: _, ...peer }) => peer);
  return { ...snapshot, peers };
}

/** Datagrams by what became of them. */
export function transportCounters(snapshot: ControlSnapshot): Record<string, number> {
  const sent = snapshot.sent.reduce((sum, count) => sum + count, 0);
  const errors = Object.entries(snapshot.socketErrors).map(([code, count]) => [
    `socket${code}`,
    count,
  ]);
  return { sent, ...snapshot.refused, ...Object.fromEntries(errors) };
}
