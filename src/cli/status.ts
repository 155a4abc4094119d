/** `shardwall status`: what this node is, owns and does. */
import type { LinkReport, PeerReport, StatusReport } from "../api/report.js";
import { ask, type ClientOptions } from "./client.js";
import { durationText, fields, print, rangeText, shareText, table } from "./output.js";
import { holdText, syncText } from "./sync-text.js";

export async function status(options: ClientOptions): Promise<void> {
  const report = await ask<StatusReport>(options.socket, "GET", "/v1/status");
  print(options.json ? JSON.stringify(report) : statusText(report));
}

/** The report for people. */
export function statusText(report: StatusReport): string {
  const parts = [nodeText(report), reasonText(report), kernelText(report)];
  if (report.workers.length > 0) parts.push(workerText(report));
  parts.push(report.peers.length === 0 ? "no peers heard" : peerText(report.peers));
  parts.push(syncText(report.sync), holdText(report.hold), datagramText(report));
  return parts.filter((part) => part !== "").join("\n\n");
}

function nodeText(report: StatusReport): string {
  const { lease, packets } = report;
  const left = `valid, ${Math.round(lease.msLeft)} ms left`;
  const unfit = report.fit.length === 0 ? "" : ` (unfit: ${report.fit.join(", ")})`;
  return fields([
    ["node", `${report.node} of cluster ${report.cluster}, shardwall ${report.version}`],
    ["state", `${report.state}${unfit}, up ${durationText(report.uptimeMs)}`],
    ["range", `${rangeText(report.range)} (${report.ownedBuckets} of ${report.buckets} buckets)`],
    ["lease", lease.valid ? left : "not valid: nothing is accepted"],
    ...replicaRows(report),
    ["view", `${report.view.join(" ") || "empty"} (epoch ${report.epoch})`],
    ["alone", report.isolation],
    ["packets", `${packets.seen} seen, ${packets.perSecond.toFixed(1)}/s`],
    ["accepted", shareText(packets.accepted, packets.seen)],
    ["dropped", shareText(packets.dropped, packets.seen)],
    ...brokenRows(report),
  ]);
}

/** Where the flows of other nodes are, if not all are in the kernel. */
function replicaRows({ replicas, sync }: StatusReport): [string, string][] {
  const { mode, waitingBuckets, leasedLate } = replicas;
  if (mode === "warm") return [];
  const { in: isIn, coming, going } = sync?.residence ?? { in: 0, coming: 0, going: 0 };
  const ways = `${isIn} buckets in the kernel, ${coming} on their way in, ${going} out`;
  const leases = `${waitingBuckets} wait for their lease, ${leasedLate} were leased without flows`;
  return [["replicas", `${mode}: ${ways}; ${leases}`]];
}

/** What must never happen and did. */
function brokenRows({ invariants }: StatusReport): [string, string][] {
  const broken = Object.entries(invariants).filter(([, count]) => count > 0);
  const names = broken.map(([name, count]) => `${name} ${count}`).join(", ");
  return broken.length === 0 ? [] : [["BROKEN", `${names}: a bug, please report it`]];
}

function reasonText(report: StatusReport): string {
  const rows = Object.entries(report.packets.byReason)
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => [reason, count]);
  return rows.length === 0 ? "no verdicts yet" : table(["REASON", "PACKETS"], rows);
}

function kernelText(report: StatusReport): string {
  const { kernel } = report.packets;
  return table(
    ["KERNEL DROPS", "PACKETS"],
    [
      ["queue full", kernel.queueDropped],
      ["socket buffer full", kernel.socketDropped],
      ["invalid", kernel.invalid],
      ["of another node's flow", kernel.foreignFlow],
      ["not in the leased range", kernel.expiredLease],
      ["undecided", kernel.undecided],
      ["no port left in a slice", kernel.noPort],
      ["tuple taken", kernel.insertFailed],
      [earlyText(report.packets.earlyDrop), kernel.earlyForeign],
    ],
  );
}

function earlyText(state: StatusReport["packets"]["earlyDrop"]): string {
  return state === "none" ? "early (not configured)" : `early (${state})`;
}

function workerText(report: StatusReport): string {
  const rows = report.workers.map((worker) => [
    worker.queue,
    worker.seen,
    worker.restarts,
    worker.stalledMs > 0 ? durationText(worker.stalledMs) : "-",
    worker.overruns + worker.verdictErrors + worker.unreadable,
    worker.evicted,
  ]);
  return table(["QUEUE", "SEEN", "RESTARTS", "STALLED", "ERRORS", "EVICTED"], rows);
}

function peerText(peers: readonly PeerReport[]): string {
  const rows = peers.map((peer) => [
    peer.node,
    peer.state,
    rangeText(peer.range),
    peer.links.map(linkText).join(" "),
    peer.address,
  ]);
  return table(["PEER", "STATE", "RANGE", "LAST HEARTBEAT", "ADDRESS"], rows);
}

/** A link, the age of its last heartbeat, and whether the peer hears nothing of us there. */
export function linkText({ interface: name, ageMs, heardThere }: LinkReport): string {
  const age = ageMs === null ? "never" : durationText(ageMs);
  return `${name}:${age}${heardThere === false ? ",unheard" : ""}`;
}

function datagramText(report: StatusReport): string {
  const rows = Object.entries(report.transport)
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => [outcome, count]);
  return rows.length === 0 ? "" : table(["DATAGRAMS", "COUNT"], rows);
}
