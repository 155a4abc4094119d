import { afterEach, describe, expect, test } from "vitest";
import { type MetricsServer, metricsText, openMetrics } from "../../src/api/metrics.js";
import type { StatusReport } from "../../src/api/report.js";
import { STATUS, SYNC_REPORT } from "./example.js";

/** Value of the sample whose line starts with `name` and has all of `labels`. */
function sample(page: string, name: string, ...labels: string[]): number | undefined {
  const line = page
    .split("\n")
    .find((each) => each.startsWith(`${name}{`) && labels.every((label) => each.includes(label)));
  return line === undefined ? undefined : Number(line.split(" ").at(-1));
}

describe("the page of a report", () => {
  test.each([
    ["shardwall_packets_total", ['reason="own-new"'], 400],
    ["shardwall_packets_total", ['reason="malformed"'], 0],
    ["shardwall_kernel_drops_total", ['cause="invalid"'], 3],
    ["shardwall_owned_buckets", ['cluster="edge"', 'node="2"'], 86],
    ["shardwall_node_state", ['state="active"'], 1],
    ["shardwall_node_state", ['state="draining"'], 0],
    ["shardwall_lease_valid", [], 1],
    ["shardwall_lease_seconds_left", [], 0.125],
    ["shardwall_worker_restarts_total", ['queue="100"'], 1],
    ["shardwall_peer_up", ['peer="1"'], 1],
    ["shardwall_peer_up", ['peer="3"'], 0],
    ["shardwall_peer_heartbeat_age_seconds", ['peer="1"', 'link="0"'], 0.012],
    ["shardwall_invariant_violations_total", ['invariant="lateRenewal"'], 2],
    ["shardwall_datagrams_total", ['outcome="badAuth"'], 2],
  ])("%s %s is %s", async (name, labels, value) => {
    expect(sample(await metricsText(STATUS), name, ...labels)).toBe(value);
  });

  test.each([
    ["shardwall_flows", [], 1234],
    ["shardwall_sync_overruns_total", [], 8],
    ["shardwall_sync_events_total", ['event="told"'], 55],
    ["shardwall_sync_refused_total", ['errno="ENOMEM"'], 2],
    ["shardwall_sync_peer_lag_frames", ['peer="1"', 'direction="here"'], 0],
    ["shardwall_sync_peer_lag_frames", ['peer="1"', 'direction="there"'], 7],
    ["shardwall_sync_peer_lag_frames", ['peer="3"', 'direction="there"'], undefined],
    ["shardwall_sync_peer_naks_total", ['peer="1"', 'direction="there"'], 4],
    ["shardwall_sync_peer_ack_age_seconds", ['peer="1"'], 0.03],
    ["shardwall_sync_peer_unheard", ['peer="3"'], 1],
    ["shardwall_sync_peer_degraded_seconds", ['peer="3"'], 1.2],
    ["shardwall_sync_peer_repairs_total", ['peer="1"'], 6],
  ])("of replication: %s %s is %s", async (name, labels, value) => {
    const page = await metricsText({ ...STATUS, sync: SYNC_REPORT });
    expect(sample(page, name, ...labels)).toBe(value);
  });

  test("has no age for a link never heard, and no address at all", async () => {
    const page = await metricsText(STATUS);
    expect(sample(page, "shardwall_peer_heartbeat_age_seconds", 'link="1"')).toBeUndefined();
    expect(page).not.toContain("10.9.0.1");
  });

  test("is a whole page for a node that knows nobody", async () => {
    const alone: StatusReport = { ...STATUS, peers: [], workers: [], transport: {} };
    expect(sample(await metricsText(alone), "shardwall_buckets")).toBe(256);
  });
});

describe("the port", () => {
  let server: MetricsServer | null = null;
  afterEach(async () => server?.close());

  async function get(path: string, method = "GET"): Promise<Response> {
    const endpoint = { address: "127.0.0.1", family: 4, port: 0 } as const;
    server = await openMetrics(endpoint, async () => STATUS);
    return fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  }

  test("serves the page", async () => {
    const response = await get("/metrics");
    expect(response.headers.get("content-type")).toContain("version=0.0.4");
    expect(await response.text()).toBe(await metricsText(STATUS));
  });

  test("serves nothing else, and changes nothing", async () => {
    expect((await get("/v1/status")).status).toBe(404);
    await server?.close();
    expect((await get("/metrics", "POST")).status).toBe(405);
  });
});
