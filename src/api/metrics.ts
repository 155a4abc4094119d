/**
 * Prometheus metrics, made from a `StatusReport` at each scrape. Labels come from bounded sets only
 * (reasons, states, node ids, links), and none holds an address.
 */
import { Registry } from "prom-client";
import type { Endpoint } from "../config/address.js";
import { METRICS_BYTES_MAX, METRICS_PAGE_MS } from "../config/limits.js";
import { bootMs } from "../platform/clock.js";
import { type Answer, boundedServer, closed, json, listening } from "./http.js";
import type { NodeState, StatusReport } from "./report.js";
import { counter, gauge, type Sample } from "./samples.js";
import { addHold, addSync } from "./sync-metrics.js";

const STATES: readonly NodeState[] = ["joining", "syncing", "active", "draining", "dead"];

/** The metrics page of one report, in the Prometheus text format. */
export async function metricsText(status: StatusReport): Promise<string> {
  const registry = new Registry();
  registry.setDefaultLabels({ cluster: status.cluster, node: String(status.node) });
  addNode(registry, status);
  addPackets(registry, status);
  addPeers(registry, status);
  if (status.sync !== null) addSync(registry, status.sync);
  if (status.hold !== null) addHold(registry, status.hold);
  return registry.metrics();
}

const WORKER_TROUBLES = ["overruns", "verdictErrors", "unreadable", "evicted"] as const;

function addNode(registry: Registry, status: StatusReport): void {
  const states = STATES.map((state): Sample => [state === status.state ? 1 : 0, { state }]);
  gauge(registry, "shardwall_node_state", "1 for the state the node is in.", states);
  gauge(registry, "shardwall_buckets", "Buckets of the cluster.", [[status.buckets]]);
  gauge(registry, "shardwall_owned_buckets", "Buckets this node owns.", [[status.ownedBuckets]]);
  const { waitingBuckets, leasedLate } = status.replicas;
  gauge(registry, "shardwall_waiting_buckets", "Owned, but not leased yet.", [[waitingBuckets]]);
  const late: Sample = [leasedLate];
  counter(registry, "shardwall_leased_late_total", "Buckets leased without flows.", [late]);
  gauge(registry, "shardwall_view_nodes", "Nodes believed alive.", [[status.view.length]]);
  gauge(registry, "shardwall_epoch", "Epoch of the view.", [[status.epoch]]);
  gauge(registry, "shardwall_fit", "1 if fit to serve.", [[status.fit.length === 0 ? 1 : 0]]);
  const { valid, msLeft } = status.lease;
  gauge(registry, "shardwall_lease_valid", "1 while the lease holds.", [[valid ? 1 : 0]]);
  gauge(registry, "shardwall_lease_seconds_left", "Rest of the lease.", [[msLeft / 1000]]);
  const broken = Object.entries(status.invariants);
  const samples = broken.map(([invariant, count]): Sample => [count, { invariant }]);
  counter(registry, "shardwall_invariant_violations_total", "Bugs: each has to be 0.", samples);
  gauge(registry, "shardwall_uptime_seconds", "Since the start.", [[status.uptimeMs / 1000]]);
}

function addPackets(registry: Registry, status: StatusReport): void {
  const reasons = Object.entries(status.packets.byReason);
  const verdicts = reasons.map(([reason, count]): Sample => [count, { reason }]);
  counter(registry, "shardwall_packets_total", "Packets by reason of the verdict.", verdicts);
  const kernel = Object.entries(status.packets.kernel);
  const drops = kernel.map(([cause, count]): Sample => [count as number, { cause }]);
  counter(registry, "shardwall_kernel_drops_total", "Drops of the kernel by cause.", drops);
  const { workers } = status;
  const restarts = workers.map(({ queue, restarts }): Sample => [restarts, { queue }]);
  counter(registry, "shardwall_worker_restarts_total", "Restarts by queue.", restarts);
  const stalled = workers.map(({ queue, stalledMs }): Sample => [stalledMs / 1000, { queue }]);
  gauge(registry, "shardwall_worker_stalled_seconds", "Time without a sign of life.", stalled);
  const troubles = workers.flatMap((worker) => {
    const { queue } = worker;
    return WORKER_TROUBLES.map((cause): Sample => [worker[cause], { queue, cause }]);
  });
  counter(registry, "shardwall_worker_troubles_total", "What went wrong, by queue.", troubles);
}

function addPeers(registry: Registry, status: StatusReport): void {
  const peers = status.peers.map(
    ({ node: peer, state }): Sample => [state === "dead" ? 0 : 1, { peer }],
  );
  gauge(registry, "shardwall_peer_up", "1 unless the peer is dead.", peers);
  const heard = status.peers.flatMap(({ node: peer, links }) =>
    links.flatMap(({ link, ageMs }): Sample[] =>
      ageMs === null ? [] : [[ageMs / 1000, { peer, link }]],
    ),
  );
  gauge(registry, "shardwall_peer_heartbeat_age_seconds", "Since its last heartbeat.", heard);
  const outcomes = Object.entries(status.transport);
  const datagrams = outcomes.map(([outcome, count]): Sample => [count, { outcome }]);
  counter(registry, "shardwall_datagrams_total", "Cluster datagrams by outcome.", datagrams);
}

export interface MetricsServer {
  /** The port in use: the configured one, or the system's choice for port 0. */
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `GET /metrics` at `endpoint`.
 * @throws the error of listen(): EADDRINUSE, EACCES, EADDRNOTAVAIL
 */
export async function openMetrics(
  endpoint: Endpoint,
  status: () => Promise<StatusReport>,
): Promise<MetricsServer> {
  const pages = new Pages(status);
  const server = boundedServer((method, path) => answer(method, path, pages));
  await listening(server, () => server.listen(endpoint.port, endpoint.address));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : endpoint.port;
  return { port, close: () => closed(server) };
}

/** The page, made when it is asked for, but not as often as somebody can ask. */
class Pages {
  private madeMs = Number.NEGATIVE_INFINITY;
  private page: Promise<string> = Promise.resolve("");

  constructor(private readonly status: () => Promise<StatusReport>) {}

  newest(): Promise<string> {
    const now = bootMs();
    if (now - this.madeMs < METRICS_PAGE_MS) return this.page;
    this.page = this.status().then(metricsText);
    this.madeMs = now;
    this.page.catch(() => {
      this.madeMs = Number.NEGATIVE_INFINITY; // whoever asks next has it made anew
    });
    return this.page;
  }
}

async function answer(method: string, path: string, pages: Pages): Promise<Answer> {
  if (path !== "/metrics") return json(404, { error: "no such path", paths: ["/metrics"] });
  if (method !== "GET") return json(405, { error: "GET only" }, "GET");
  const body = await pages.newest();
  if (Buffer.byteLength(body) > METRICS_BYTES_MAX) return json(500, { error: "page too large" });
  return { status: 200, type: "text/plain; version=0.0.4; charset=utf-8", body };
}
