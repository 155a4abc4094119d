/** A node's orderly life: asked, drained, joined, stopped. No bucket lacks an owner meanwhile. */
import { lstatSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type NodeReport, type RangesReport, rangesOf } from "../../src/api/report.js";
import { ending } from "../../src/demo/children.js";
import { Lab } from "../../src/demo/lab.js";
import { atRest, shardwall, sleep, startNodes, takenOver } from "../fixture/cluster.js";
import { fixture, rootOnly } from "../fixture/netns.js";

const LEAVING = 2;
const STAYING = [1, 3];
const ALL_BUCKETS = 256;
const LOOSE = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose";

const FOREIGN_NFT = `table inet filter {
  chain input { type filter hook input priority 0; policy accept; tcp dport 22 counter; }
  chain mangle { type filter hook prerouting priority -150; meta mark set 0x2a; }
}
`;

rootOnly("a node's life", () => {
  let lab: Lab;
  let untouched: string[];

  beforeAll(async () => {
    lab = Lab.open(3);
    lab.exec(`node${LEAVING}`, ["nft", "-f", "-"], FOREIGN_NFT);
    lab.exec(`node${LEAVING}`, ["ip", "address", "add", "192.168.0.99/24", "dev", "eth1"]);
    untouched = kernelState();
    startNodes(lab);
    await atRest(lab);
  });
  afterAll(() => lab?.close());

  /** What a node may change in the kernel, without packet counts. */
  function kernelState(): string[] {
    const at = (...argv: string[]) => lab.exec(`node${LEAVING}`, argv);
    const rules = at("nft", "list", "ruleset").replace(/packets \d+ bytes \d+/g, "");
    return [rules, at("ip", "-brief", "address"), at("ip", "maddress"), at("cat", LOOSE)];
  }

  /** Looks at a peer's ranges until `done`; most buckets that nobody owned at a time. */
  async function unownedUntil(done: Promise<unknown>): Promise<number> {
    let isDone = false;
    let unowned = 0;
    void done.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      unowned = Math.max(unowned, rangesOf(await lab.status(1)).unowned);
      await sleep(10);
    }
    return unowned;
  }

  /** A command that is not waited for. */
  function command(...args: string[]) {
    const { socket } = lab.node(LEAVING).files;
    const argv = [process.execPath, fixture("../../dist/main.js"), ...args, "--socket", socket];
    return ending(lab.spawn(`node${LEAVING}`, argv));
  }

  describe("the command line", () => {
    test("status, nodes and ranges speak to people", () => {
      expect(shardwall(lab, 1, "status")).toMatch(/node +1 of cluster lab/);
      expect(shardwall(lab, 1, "status")).toMatch(/lease +valid/);
      expect(shardwall(lab, 1, "nodes")).toMatch(/^NODE.*LAST HEARTBEAT/);
      expect(shardwall(lab, 1, "nodes").match(/active/g)).toHaveLength(3);
      expect(shardwall(lab, 1, "ranges")).toMatch(/ 0-84 .*\n.* 85-169 .*\n.* 170-255 /);
    });

    test("and to programs", async () => {
      const status = JSON.parse(shardwall(lab, 1, "status", "--json"));
      expect(status).toMatchObject({ node: 1, state: "active", fit: [], view: [1, 2, 3] });
      expect(status.peers.map((peer: { node: number }) => peer.node)).toEqual([2, 3]);
      for (const { links } of status.peers) expect(links[0].ageMs).toBeLessThan(1000);
      const nodes = JSON.parse(shardwall(lab, 1, "nodes", "--json")) as NodeReport[];
      expect(nodes.map(({ node, self, ownedBuckets }) => [node, self, ownedBuckets])).toEqual([
        [1, true, 85],
        [2, false, 85],
        [3, false, 86],
      ]);
      const ranges = JSON.parse(shardwall(lab, 1, "ranges", "--json")) as RangesReport;
      expect(ranges).toMatchObject({ buckets: ALL_BUCKETS, unowned: 0, overlapping: 0 });
    });

    test("reaches the node over a socket that only its owner may open", () => {
      const { socket } = lab.node(1).files;
      expect(lstatSync(socket).isSocket()).toBe(true);
      expect(lstatSync(socket).mode & 0o777).toBe(0o600);
      expect(lstatSync(dirname(socket)).mode & 0o777).toBe(0o700);
    });
  });

  test("drain hands everything over, join takes an equal share back", async () => {
    const drained = command("drain");
    expect(await unownedUntil(drained)).toBe(0);
    expect(await drained).toEqual({ code: 0, signal: null });
    expect(await lab.status(LEAVING)).toMatchObject({ state: "draining", ownedBuckets: 0 });
    await takenOver(lab, STAYING);

    const joined = command("join");
    expect(await unownedUntil(joined)).toBe(0);
    expect(await joined).toEqual({ code: 0, signal: null });
    await atRest(lab);
  });

  test("SIGTERM hands over first, and leaves the kernel as it was", async () => {
    const node = lab.node(LEAVING);
    node.kill("SIGTERM");
    expect(await unownedUntil(node.ended)).toBe(0);
    expect(await node.ended).toEqual({ code: 0, signal: null });
    await takenOver(lab, STAYING);
    expect(kernelState()).toEqual(untouched);
    expect(() => lstatSync(node.files.socket)).toThrow("ENOENT");
  });

  test("onExit: accept leaves a node that forwards all, a later stop leaves nothing", async () => {
    startNodes(lab, [LEAVING], { dataplane: { onExit: "accept" } });
    await atRest(lab);
    lab.node(LEAVING).kill("SIGTERM");
    await lab.node(LEAVING).ended;
    const [rules, addresses, , loose] = kernelState();
    expect(addresses).toContain("192.168.0.5/24");
    expect(rules).toContain("set host"); // frames to the cluster's MAC are taken
    expect(rules).not.toMatch(/queue|leased/);
    expect(loose).toBe(untouched[3]);

    startNodes(lab, [LEAVING]);
    await atRest(lab);
    lab.node(LEAVING).kill("SIGTERM");
    await lab.node(LEAVING).ended;
    expect(kernelState()).toEqual(untouched);
  });

  test("two signals: the second does not wait for the handover", async () => {
    startNodes(lab, [LEAVING]);
    await atRest(lab);
    const node = lab.node(LEAVING);
    node.kill("SIGTERM");
    node.kill("SIGINT");
    expect(await node.ended).toEqual({ code: 0, signal: null });
    expect(kernelState()).toEqual(untouched);
  });
});
