/** Three nodes at rest: each packet is forwarded by exactly one of them, whatever its protocol. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { Load, PORTS, startServer } from "../../src/demo/load.js";
import { Observer } from "../../src/demo/observer.js";
import { INSIDE, OUTSIDE } from "../../src/demo/topology.js";
import { atRest, ECHO_PORT, Far, sleep, startNodes, verdicts } from "../fixture/cluster.js";
import { FrameCount } from "../fixture/frames.js";
import { rootOnly } from "../fixture/netns.js";

const CLIENT4 = INSIDE.clients4[0];
const CLIENT6 = INSIDE.clients6[0];
const CLOSED_PORT = 9999;
const DOWNLOAD = 20_000_000;

const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);
const numbers = (count: number, first: number) =>
  Array.from({ length: count }, (_, i) => first + i);

rootOnly("a cluster of three firewalls", () => {
  let lab: Lab;
  let atServer: FrameCount;
  let atClient: FrameCount;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab, lab.nodes, { dataplane: { queues: 2 } });
    await Promise.all([startServer(lab), Far.serve(lab)]);
    await atRest(lab);
    atServer = new FrameCount(lab, "server", {
      echo: "meta l4proto { icmp, ipv6-icmp } @th,0,8 { 8, 128 }",
      udp: `udp dport ${ECHO_PORT}`,
    });
    atClient = new FrameCount(lab, "client", {
      unreachable: "icmp type destination-unreachable",
      unreachable6: "icmpv6 type destination-unreachable",
    });
  });
  afterAll(() => lab?.close());

  test("forwards HTTP over IPv4 and IPv6, each connection by one node, all share", async () => {
    const observer = new Observer(lab, PORTS);
    const load = new Load(lab, { rate: 150 });
    await lab.waitFor("hits", () => (load.report?.hits ?? 0) >= 450, 20_000);
    const { hits, failed } = await load.stop();
    const seen = observer.read();
    expect(failed).toBe(0);
    expect(seen).toMatchObject({ acceptedTwice: 0, overlapPackets: 0, untracked: 0 });
    const shares = Object.values(seen.hitsByNode);
    expect(total(shares)).toBe(hits);
    console.info("hits by node:", seen.hitsByNode);
    for (const share of shares) expect(share).toBeGreaterThan(hits / 6);
  });

  test.each([
    ["IPv4", OUTSIDE.server4, CLIENT4],
    ["IPv6", OUTSIDE.server6, CLIENT6],
  ])("UDP, %s: every request arrives once, every answer too", async (_, host, localAddress) => {
    const before = atServer.read("udp");
    const localPorts = numbers(30, 20_000);
    const far = new Far(lab, "client", "udp", {
      ...{ host, localAddress, localPorts },
      ...{ everyMs: 50, rounds: 4 },
    });
    expect(await far.message()).toEqual({ sent: 120, answered: 120, twice: 0, refused: 0 });
    const frames = atServer.read("udp").map((count, at) => count - (before[at] as number));
    expect(total(frames)).toBe(120);
    for (const count of frames) expect(count).toBeGreaterThan(0);
  });

  test.each([
    ["the server, IPv4", OUTSIDE.server4],
    ["the server, IPv6", OUTSIDE.server6],
    ["the cluster address itself, IPv4", "192.168.0.5"],
    ["the cluster address itself, IPv6", "2001:db8:a::5"],
  ])("ICMP echo to %s: one answer each", (_, host) => {
    const before = total(atServer.read("echo"));
    // Each run of ping is a flow of its own: its id names the bucket.
    for (let run = 0; run < 4; run++) {
      const said = lab.exec("client", ["ping", "-n", "-c", "3", "-i", "0.05", "-W", "2", host]);
      expect(said).toContain("3 packets transmitted, 3 received, 0% packet loss");
      expect(said).not.toContain("DUP");
    }
    const isForwarded = host === OUTSIDE.server4 || host === OUTSIDE.server6;
    expect(total(atServer.read("echo")) - before).toBe(isForwarded ? 12 : 0);
  });

  test.each([
    ["ICMP", OUTSIDE.server4, CLIENT4, "unreachable"],
    ["ICMPv6", OUTSIDE.server6, CLIENT6, "unreachable6"],
  ])("an %s error comes back once, through the node of its flow", async (_, host, from, name) => {
    const before = total(atClient.read(name));
    const far = new Far(lab, "client", "udp", {
      ...{ host, localAddress: from, localPorts: [31_000, 31_001, 31_002], port: CLOSED_PORT },
      ...{ everyMs: 100, rounds: 1 },
    });
    expect(await far.message()).toEqual({ sent: 3, answered: 0, twice: 0, refused: 3 });
    expect(total(atClient.read(name)) - before).toBe(3);
  });

  test("a download of 20 MB has the right bytes, in large packets, too", async () => {
    const wanted = await new Far(lab, "client", "expect", { bytes: DOWNLOAD }).message();
    for (const [host, localAddress] of [
      [OUTSIDE.server4, CLIENT4],
      [OUTSIDE.server6, CLIENT6],
    ]) {
      const far = new Far(lab, "client", "fetch", { host, localAddress, bytes: DOWNLOAD });
      expect(await far.message()).toEqual(wanted);
    }
  });

  test("every packet seen has one reason, and the kernel's own drops are shown", async () => {
    await sleep(1200); // the rules' counters are read once a second
    for (const status of (await lab.statuses()).values()) {
      const { seen, accepted, dropped, byReason, kernel } = status.packets;
      expect(verdicts(status)).toBe(seen);
      expect(accepted + dropped).toBe(seen);
      const queued = total(status.workers.map((worker) => worker.seen));
      expect(queued + byReason["own-known"]).toBe(seen);
      for (const worker of status.workers) expect(worker.seen).toBeGreaterThan(0);
      expect(byReason["own-new"]).toBeGreaterThan(0);
      expect(byReason["own-known"]).toBeGreaterThan(queued);
      const { earlyForeign } = kernel;
      expect(byReason["foreign-new"] + earlyForeign).toBeGreaterThan(0);
      expect(byReason.malformed).toBe(0);
      // TCP of the others' connections is INVALID here.
      expect(kernel.invalid + earlyForeign).toBeGreaterThan(0);
      expect(kernel).toMatchObject({ queueDropped: 0, socketDropped: 0, undecided: 0 });
    }
  });
});
