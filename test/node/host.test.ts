/**
 * Host mode: nothing is forwarded, each node is a copy of one service behind one address and serves
 * its share. One of them runs as a sidecar does: not root, with two capabilities.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StatusReport } from "../../src/api/report.js";
import { ask } from "../../src/cli/client.js";
import { unrest } from "../../src/demo/convergence.js";
import { Lab } from "../../src/demo/lab.js";
import { Load, startServer } from "../../src/demo/load.js";
import { merged, nodeConfig, nodeFiles, writeConfig } from "../../src/demo/node-process.js";
import { INSIDE } from "../../src/demo/topology.js";
import { atRest, startNodes, TIMING, takenOver } from "../fixture/cluster.js";
import { FrameCount } from "../fixture/frames.js";
import { fixture, rootOnly } from "../fixture/netns.js";

const SERVICE = INSIDE.cluster.map((address) => address.split("/")[0] as string);
const PAIRS = [
  ...INSIDE.clients4.map((client) => [client, SERVICE[0] as string] as const),
  ...INSIDE.clients6.map((client) => [client, SERVICE[1] as string] as const),
];

const MAIN = fixture("../../dist/main.js");
const USER = 1000;
const CAPABILITIES = "-all,+net_admin,+net_raw";
const asUser = [
  ...["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"],
  ...["--inh-caps", "--ambient-caps", "--bounding-set"].map((set) => `${set}=${CAPABILITIES}`),
];
/** CAP_NET_ADMIN (12) and CAP_NET_RAW (13), as /proc/PID/status writes them. */
const TWO_CAPABILITIES = "0000000000003000";

const LOOSE = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose";

/** Kernel settings as a container sees them. */
const READ_ONLY = `mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
exec "$@"`;

const canRun =
  process.getuid?.() === 0 &&
  spawnSync(asUser[0] as string, [...asUser.slice(1), process.execPath, MAIN, "--version"])
    .status === 0;
const remark = canRun ? "" : " (SKIPPED: other users cannot read this repository)";

rootOnly("one service on three hosts", () => {
  let lab: Lab;
  let atClient: FrameCount;

  beforeAll(async () => {
    lab = Lab.open(3, { mode: "host" });
    startNodes(lab);
    await Promise.all(lab.nodes.map((id) => startServer(lab, `node${id}`)));
    await atRest(lab);
    atClient = new FrameCount(lab, "client", { opened: "tcp flags & (syn | ack) == (syn | ack)" });
  });
  afterAll(() => lab?.close());

  /** Connections that each node answered while some hundred hits came through; none failed. */
  async function servedBy(): Promise<number[]> {
    const before = atClient.read("opened");
    const load = new Load(lab, { pairs: PAIRS, rate: 150 });
    await lab.waitFor("hits", () => (load.report?.hits ?? 0) >= 200, 20_000);
    const { hits, failed } = await load.stop();
    expect(failed).toBe(0);
    const served = atClient.read("opened").map((count, at) => count - (before[at] as number));
    // Each connection was answered once: no node takes what another one serves.
    expect(served.reduce((sum, count) => sum + count, 0)).toBe(hits);
    return served;
  }

  test("each serves its share", async () => {
    const served = await servedBy();
    console.info("served by node:", served);
    for (const count of served) expect(count).toBeGreaterThan(200 / 6);
  });

  test("a killed host is replaced by the others", async () => {
    const node = lab.node(2);
    node.kill("SIGKILL");
    await node.ended;
    await takenOver(lab, [1, 3]);
    expect((await servedBy())[1]).toBe(0);
  });

  test.skipIf(!canRun)(`a sidecar without root serves like the others${remark}`, async () => {
    const { socket, pid } = await startSidecar();
    const statuses = async () =>
      (await lab.statuses()).set(2, await ask<StatusReport>(socket, "GET", "/v1/status"));
    const isRest = async () => unrest(await statuses().catch(() => new Map()), lab.nodes) === null;
    await lab.waitFor("cluster with a sidecar at rest", isRest);
    for (const count of await servedBy()) expect(count).toBeGreaterThan(200 / 6);

    const proc = readFileSync(`/proc/${pid}/status`, "utf8");
    expect(proc).toMatch(new RegExp(`^Uid:\\s+${USER}\\s+${USER}\\s+${USER}\\s+${USER}$`, "m"));
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
      expect(proc).toMatch(new RegExp(`^${set}:\\s+${TWO_CAPABILITIES}$`, "m"));
    }
  });

  /** Starts node 2 as a user, with files of that user's own. */
  async function startSidecar(): Promise<{ socket: string; pid: number }> {
    chmodSync(lab.directory, 0o711);
    const home = join(lab.directory, "sidecar");
    mkdirSync(home);
    const files = { ...nodeFiles(home, 2), secret: join(home, "secret") };
    writeConfig(files, merged(nodeConfig(2, "host", files), { timing: TIMING }));
    copyFileSync(nodeFiles(lab.directory, 0).secret, files.secret);
    for (const path of [home, files.secret, join(files.config, ".."), files.config]) {
      chownSync(path, USER, USER);
    }
    lab.exec("node2", ["sh", "-c", `echo 1 >${LOOSE}`]); // the killed node left it at 0
    const run = [...asUser, process.execPath, MAIN, "run", "-c", files.config];
    const child = lab.spawn("node2", ["sh", "-ec", READ_ONLY, "sh", ...run]);
    const log: string[] = [];
    child.stderr?.setEncoding("utf8").on("data", (text: string) => log.push(text));
    await lab.waitFor("start of the sidecar", () => {
      if (child.exitCode !== null) throw new Error(log.join(""));
      return log.join("").includes("node started");
    });
    // What it may not set it says, and goes on.
    expect(log.join("")).toContain("nf_conntrack_tcp_loose may not be set to 0 here");
    return { socket: files.socket, pid: child.pid as number };
  }
});
