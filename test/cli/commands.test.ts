import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { StatusReport, SyncReport } from "../../src/api/report.js";
import { type ApiServer, openApi, Refusal } from "../../src/api/server.js";
import { ask } from "../../src/cli/client.js";
import { drain } from "../../src/cli/drain.js";
import { events } from "../../src/cli/events.js";
import { join as joinCluster } from "../../src/cli/join.js";
import { ranges } from "../../src/cli/ranges.js";
import { resync } from "../../src/cli/resync.js";
import { status } from "../../src/cli/status.js";
import { STATUS, SYNC_REPORT } from "../api/example.js";

/** A node as the commands see it: each look at a drain finds 43 buckets fewer. */
class FakeNode {
  report: StatusReport = STATUS;
  isStuck = false;
  isRefusing = false;
  /** What the status says of replication, from each resync on. */
  resyncs: SyncReport[] = [];

  async status(): Promise<StatusReport> {
    const { state, ownedBuckets } = this.report;
    if (state === "draining" && !this.isStuck) {
      this.report = { ...this.report, ownedBuckets: Math.max(0, ownedBuckets - 43) };
    }
    return this.report;
  }

  async flows(): Promise<AsyncIterable<string>> {
    return (async function* () {})();
  }

  async *events(): AsyncGenerator<string> {
    const details = { node: 2, cause: "silent", runs: [[0, 9]] };
    const time = "2026-01-02T03:04:05.678Z";
    yield `${JSON.stringify({ time, name: "nodeDown", details })}\n`;
  }

  async drain(): Promise<void> {
    if (this.isRefusing) throw new Refusal("the node is joining");
    this.report = { ...this.report, state: "draining" };
  }

  async join(): Promise<void> {
    this.report = { ...this.report, state: "active", ownedBuckets: 128 };
  }

  async resync(): Promise<void> {
    this.report = { ...this.report, sync: this.resyncs.shift() ?? null };
  }
}

function resyncing(
  state: "running" | "done" | "failed",
  waitsFor: readonly string[] = [],
): SyncReport {
  const reason = state === "failed" ? "the table of node 3 does not move on" : "";
  const report = { number: 1, state, forMs: 20, waitsFor, reason, flows: 40, flowsExpected: 100 };
  return { ...SYNC_REPORT, resync: report };
}

let directory = "";
let socket = "";
let out = "";
let err = "";
let node = new FakeNode();
let server: ApiServer;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "shardwall-cli-"));
  socket = join(directory, "node.sock");
  node = new FakeNode();
  server = await openApi(socket, node);
  out = "";
  err = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += text;
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += text;
    return true;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await server.close();
  rmSync(directory, { recursive: true });
});

describe("asking", () => {
  test("status and ranges print a table, or the JSON of the node", async () => {
    await status({ socket });
    expect(out).toContain("2 of cluster edge");
    out = "";
    await status({ socket, json: true });
    expect(JSON.parse(out)).toEqual(STATUS);
    out = "";
    await ranges({ socket });
    expect(out).toContain("85-170");
  });

  test("no node: says so, and how to start one", async () => {
    await server.close();
    const message = `no node is running on ${socket}; start one: shardwall run -c FILE`;
    await expect(status({ socket })).rejects.toMatchObject({ exitCode: 1, message });
  });

  test("something else on the socket", async () => {
    const other = join(directory, "other.sock");
    const fake = createServer((peer) => peer.end("HTTP/1.1 200 OK\r\n\r\nhello"));
    await new Promise<void>((resolve) => fake.listen(other, resolve));
    await expect(ask(other, "GET", "/v1/status")).rejects.toThrow("is this a shardwall socket?");
    fake.close();
  });
});

describe("changing", () => {
  test("drain waits until nothing is left, with the progress on stderr", async () => {
    await drain({ socket, timeout: 10 });
    expect(err).toBe("drain: draining, 43 buckets left\n");
    expect(out).toBe("drain: done, draining, 0 buckets left\n");
  });

  test("join waits for the node's share", async () => {
    await joinCluster({ socket, timeout: 10, json: true });
    expect(JSON.parse(out)).toMatchObject({ state: "active", ownedBuckets: 128 });
  });

  test("a refusal is told as the node says it", async () => {
    node.isRefusing = true;
    const refusal = { exitCode: 1, message: "/v1/drain: the node is joining" };
    await expect(drain({ socket, timeout: 10 })).rejects.toMatchObject(refusal);
  });

  test("resync shows its progress and what it waits for", async () => {
    node.resyncs = [resyncing("running", ["kernel", "node 3"]), resyncing("done")];
    setTimeout(() => void node.resync(), 250);
    await resync({ socket, timeout: 10 });
    expect(err).toBe("resync: 40 of 100 flows of peers, waits for kernel and node 3\n");
    expect(out).toBe("resync: done, 40 of 100 flows of peers\n");
  });

  test("resync that fails tells why", async () => {
    node.resyncs = [resyncing("failed")];
    const failure = { exitCode: 1, message: "resync: the table of node 3 does not move on" };
    await expect(resync({ socket, timeout: 10 })).rejects.toMatchObject(failure);
  });

  test("a node that is not done in time: the command fails and says how far it got", async () => {
    node.isStuck = true;
    const failing = drain({ socket, timeout: 0.3 });
    await expect(failing).rejects.toThrow("not done after 0.3 s (draining, 86 buckets left)");
  });
});

test("events prints a line for each, and the JSON as it came", async () => {
  await events({ socket });
  expect(out).toBe("2026-01-02T03:04:05.678Z nodeDown node=2 cause=silent runs=[[0,9]]\n");
  out = "";
  await events({ socket, json: true });
  expect(JSON.parse(out).details.node).toBe(2);
});
