/** Replication of flows as `shardwall status` shows it. */
import type { HoldReport, SyncReport } from "../api/report.js";
import { durationText, fields, table } from "./output.js";
import { resyncProgress } from "./resync.js";

type Peer = SyncReport["peers"][number];

const TITLES = [
  ...["FLOWS OF", "TABLE", "NEXT", "LAG", "NEWS", "NAKS OUT", "NAKS IN", "LOST", "DRIFT"],
  ...["REPAIRS", "OURS THERE", "LAG THERE", "ACKED", "DEGRADED", "CONDITION"],
];

/**
 * Health per peer and direction. What comes from it: TABLE to REPAIRS, where NAKS OUT are for what
 * got lost on the way here. What goes to it: NAKS IN, OURS THERE to ACKED, as it says itself.
 */
export function syncText(sync: SyncReport | null): string {
  if (sync === null) return "";
  const rows = sync.peers.map(peerRow);
  const parts = [fields(headFields(sync))];
  if (rows.length > 0) parts.push(table(TITLES, rows));
  return parts.join("\n\n");
}

/** What became of the replies that were held. */
export function holdText(hold: HoldReport | null): string {
  if (hold === null) return "";
  const { cutOff, cutOffs } = hold;
  const names = cutOff.map(({ node, forMs }) => `node ${node} for ${durationText(forMs)}`);
  const head = fields([
    ["hold", `up to ${hold.holdMs} ms, ${hold.holding} waiting`],
    ["cut off", `${names.join(", ") || "nobody"} (${cutOffs} times in all)`],
  ]);
  const rows = [
    ["acknowledged by all peers", hold.acknowledged],
    ["known to all peers before", hold.atOnce],
    ["not replicated", hold.needless],
    ["whole time over", hold.late],
    ["no room", hold.overflow],
    ["no answer", hold.unanswered],
  ];
  return `${head}\n\n${table(["HELD REPLIES", "PACKETS"], rows)}`;
}

function headFields(sync: SyncReport): (readonly [string, string])[] {
  const { degraded, resync, isAttending } = sync;
  const known = degraded === null ? "as the kernel's" : conditionText(degraded);
  const state = isAttending ? known : "not followed while alone";
  const flows = `${sync.flows} of ${sync.flowsMax}, ${state}, ${sync.backlog} to tell`;
  if (resync === null) return [["flows", flows]];
  const { state: stage, forMs, reason } = resync;
  const detail = stage === "running" ? resyncProgress({ sync }) : reason;
  const text = `${stage} ${durationText(forMs)}${detail === "" ? "" : `, ${detail}`}`;
  return [
    ["flows", flows],
    ["resync", text],
  ];
}

function peerRow(peer: Peer): (string | number)[] {
  const { there, degraded, ackAgeMs } = peer;
  return [
    peer.node,
    peer.isComplete ? "complete" : `${Math.floor(peer.progress * 100)} %`,
    peer.sequence,
    peer.lag,
    durationText(peer.ageMs),
    peer.naksSent,
    peer.naksHeard,
    peer.outOfSync,
    peer.drift,
    peer.repairs,
    thereText(there),
    there?.lag ?? "-",
    ackAgeMs === null ? "never" : durationText(ackAgeMs),
    peer.degradations,
    degraded === null ? "ok" : conditionText(degraded),
  ];
}

function thereText(there: Peer["there"]): string {
  if (there === null) return "unheard";
  if (!there.isFollowing) return "asked for";
  return there.isComplete ? "complete" : "arriving";
}

function conditionText({ why, forMs }: { why: string; forMs: number }): string {
  return `${why}, ${durationText(forMs)}`;
}
