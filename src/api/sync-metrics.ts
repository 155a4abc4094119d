/** Metrics of flow replication: per peer and direction, `here` what comes, `there` what goes. */
import type { Registry } from "prom-client";
import type { HoldReport, SyncReport } from "./report.js";
import { counter, gauge, type Sample } from "./samples.js";

type Peer = SyncReport["peers"][number];

export function addSync(registry: Registry, sync: SyncReport): void {
  gauge(registry, "shardwall_flows", "Flows known, own and replicated.", [[sync.flows]]);
  gauge(registry, "shardwall_flows_max", "Bound of shardwall_flows.", [[sync.flowsMax]]);
  gauge(registry, "shardwall_flows_backlog", "Changes not told yet.", [[sync.backlog]]);
  gauge(registry, "shardwall_sync_complete", "1 if all tables are here.", [[flag(sync.isSynced)]]);
  const degraded = (sync.degraded?.forMs ?? 0) / 1000;
  gauge(registry, "shardwall_sync_degraded_seconds", "For how long; 0: it is well.", [[degraded]]);
  const drifted: Sample = [sync.driftedBuckets];
  gauge(registry, "shardwall_sync_drifted_buckets", "Buckets that differ.", [drifted]);
  const overruns = "Times that the kernel left events out.";
  counter(registry, "shardwall_sync_overruns_total", overruns, [[sync.overruns]]);
  const events = Object.entries(sync.counters);
  const counts = events.map(([event, count]): Sample => [count, { event }]);
  counter(registry, "shardwall_sync_events_total", "Replication by event.", counts);
  const refusals = Object.entries(sync.refused);
  const refused = refusals.map(([errno, count]): Sample => [count, { errno }]);
  counter(registry, "shardwall_sync_refused_total", "Refusals of the kernel.", refused);
  addPeers(registry, sync.peers);
}

export function addHold(registry: Registry, hold: HoldReport): void {
  const { holding, cutOff, cutOffs, acknowledged, atOnce, needless, late } = hold;
  const { overflow, unanswered } = hold;
  gauge(registry, "shardwall_held_replies", "Replies that wait for the peers.", [[holding]]);
  const outcomes = { acknowledged, atOnce, needless, late, overflow, unanswered };
  const left = Object.entries(outcomes).map(([outcome, count]): Sample => [count, { outcome }]);
  counter(registry, "shardwall_held_replies_total", "Held replies by outcome.", left);
  gauge(registry, "shardwall_hold_cut_off_peers", "Peers not waited for.", [[cutOff.length]]);
  counter(registry, "shardwall_hold_cut_offs_total", "Times a peer was cut off.", [[cutOffs]]);
}

const flag = (holds: boolean) => (holds ? 1 : 0);

function addPeers(registry: Registry, peers: readonly Peer[]): void {
  const each = (value: (peer: Peer) => number | null) =>
    peers.flatMap((peer): Sample[] => {
      const found = value(peer);
      return found === null ? [] : [[found, { peer: peer.node }]];
    });
  const both = (here: (peer: Peer) => number, there: (peer: Peer) => number | null) =>
    peers.flatMap((peer): Sample[] => {
      const far = there(peer);
      const near: Sample = [here(peer), { peer: peer.node, direction: "here" }];
      return far === null ? [near] : [near, [far, { peer: peer.node, direction: "there" }]];
    });
  const complete = both(
    ({ isComplete }) => flag(isComplete),
    ({ there }) => there && flag(there.isComplete),
  );
  gauge(registry, "shardwall_sync_peer_complete", "1 if the table is complete.", complete);
  const lag = both(
    (peer) => peer.lag,
    ({ there }) => there?.lag ?? null,
  );
  gauge(registry, "shardwall_sync_peer_lag_frames", "Frames known to be missing.", lag);
  const naks = both(
    (peer) => peer.naksSent,
    (peer) => peer.naksHeard,
  );
  counter(registry, "shardwall_sync_peer_naks_total", "Requests for lost frames.", naks);
  const age = each(({ ageMs }) => ageMs / 1000);
  gauge(registry, "shardwall_sync_peer_age_seconds", "Since its last news.", age);
  const ack = each(({ ackAgeMs }) => ackAgeMs && ackAgeMs / 1000);
  gauge(registry, "shardwall_sync_peer_ack_age_seconds", "Since its last acknowledgement.", ack);
  const unheard = each(({ there }) => flag(there === null));
  gauge(registry, "shardwall_sync_peer_unheard", "1 if it does not hear this node.", unheard);
  const degraded = each((peer) => (peer.degraded?.forMs ?? 0) / 1000);
  gauge(registry, "shardwall_sync_peer_degraded_seconds", "As the peer says.", degraded);
  const onsets = each(({ degradations }) => degradations);
  counter(registry, "shardwall_sync_peer_degradations_total", "Times it was degraded.", onsets);
  const lost = each(({ outOfSync }) => outOfSync);
  counter(registry, "shardwall_sync_peer_lost_total", "Times its stream was lost.", lost);
  const drift = each((peer) => peer.drift);
  counter(registry, "shardwall_sync_peer_drift_total", "Its buckets found to differ.", drift);
  const repairs = each((peer) => peer.repairs);
  counter(registry, "shardwall_sync_peer_repairs_total", "Repairs asked of it.", repairs);
}
