/**
 * Rules, addresses and settings in a namespace of the test: installed, repaired, removed, nothing
 * else touched.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fixture, Namespace, rootOnly } from "../fixture/netns.js";

const FOREIGN_NFT = `table inet filter {
  counter web { }
  chain input { type filter hook input priority 0; policy accept;
    tcp dport 80 counter name web accept }
  chain mangle { type filter hook prerouting priority -150; meta mark set 0x2a; }
}
`.replaceAll("accept }", "accept\n}");
/** Sends a datagram, and gives the neighbours time to find each other. */
const SEND = `
const to = process.argv[1];
const socket = require("node:dgram").createSocket(to.includes(":") ? "udp6" : "udp4");
socket.send("x", 9, to, () => setTimeout(() => socket.close(), 300));`;
const LOOSE = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose";

rootOnly("what a node puts into the kernel", () => {
  let ns: Namespace;
  let directory: string;

  beforeEach(() => {
    ns = new Namespace();
    directory = mkdtempSync(join(tmpdir(), "shardwall-test-"));
    ns.veth("v0", "v1");
    ns.veth("s0", "s1");
    ns.exec("nft", ["-f", "-"], FOREIGN_NFT);
    ns.exec("iptables", "-t mangle -A PREROUTING -s 10.0.0.0/8 -j MARK --set-mark 7".split(" "));
    ns.exec("ip6tables", "-A FORWARD -p tcp --dport 22 -j ACCEPT".split(" "));
    ns.exec("ip", ["address", "add", "192.168.0.99/24", "dev", "v0"]);
  });
  afterEach(async () => {
    await ns.close();
    rmSync(directory, { recursive: true });
  });

  const act = (...args: string[]) => {
    const [verb, ...rest] = args as [string, ...string[]];
    ns.exec("node", [fixture("install.mjs"), verb, join(directory, "record.json"), ...rest]);
  };
  const ruleset = () => ns.exec("nft", ["list", "ruleset"]);
  const foreignRules = () =>
    ["ip filter", "ip mangle", "ip6 filter", "inet filter"]
      .filter((table) => ns.exec("nft", ["list", "tables"]).includes(`table ${table}\n`))
      .map((table) => ns.exec("nft", ["list", "table", ...table.split(" ")]))
      .join();
  const groups = () => ns.exec("ip", ["maddress", "show", "dev", "v0"]);
  const addresses = () => ns.exec("ip", ["-brief", "address", "show", "dev", "v0"]);
  const loose = () => ns.exec("cat", [LOOSE]).trim();

  test("install and remove leave everything as it was", () => {
    const before = [ruleset(), addresses(), loose()];
    const foreign = foreignRules();
    act("install");
    expect(foreignRules()).toBe(foreign);
    expect(addresses()).toContain("192.168.0.5/24");
    expect(addresses()).toContain("2001:db8:a::5/64");
    expect(loose()).toBe("0");
    expect(ruleset()).toContain("queue num 100-101");
    expect(ruleset()).not.toContain("bypass");
    act("remove");
    expect([ruleset(), addresses(), loose()]).toEqual(before);
    expect(readdirSync(directory)).toEqual([]);
  });

  test("a start after kill -9 leaves no duplicate, and its stop no leftover", () => {
    const before = [ruleset(), addresses(), loose()];
    act("install");
    const once = ruleset();
    expect(() => act("kill")).toThrow();
    expect(() => act("kill")).toThrow();
    act("install");
    expect(ruleset()).toBe(once);
    act("remove");
    expect([ruleset(), addresses(), loose()]).toEqual(before);
  });

  test("an address that was there before us stays", () => {
    ns.exec("ip", ["address", "add", "192.168.0.5/24", "dev", "v0"]);
    act("install");
    act("remove");
    expect(addresses()).toContain("192.168.0.5/24");
    expect(addresses()).not.toContain("2001:db8:a::5");
  });

  test("the MAC membership ends with the process", () => {
    act("install");
    expect(groups()).not.toContain("01:00:5e:00:01:01");
  });

  test("the lease expires in the kernel by itself", async () => {
    act("install");
    const leased = () => ns.exec("nft", ["list", "set", "ip", "shardwall_test", "leased"]);
    act("lease", "60000");
    expect(leased()).toContain("0x00010000-0x000a0000");
    act("lease", "50");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(leased()).not.toContain("0x00010000");
    expect(ns.exec("nft", ["list", "set", "ip6", "shardwall_test", "leased"])).not.toContain(
      "0x0001",
    );
  });

  test.each([
    ["ARP", "192.168.0.2/24", "192.168.0.5"],
    ["neighbour discovery", "2001:db8:a::2/64", "2001:db8:a::5"],
  ])("%s is answered with the cluster MAC", async (_, own, cluster) => {
    const client = new Namespace();
    try {
      ns.exec("ip", ["link", "set", "v1", "netns", client.name]);
      client.exec("ip", ["link", "set", "v1", "up"]);
      client.exec("ip", ["address", "add", own, "dev", "v1", "nodad"]);
      act("install");
      client.exec("node", ["-e", SEND, cluster]);
      const known = client.exec("ip", ["neighbour"]);
      expect(known).toMatch(new RegExp(`${cluster} dev v1 lladdr 01:00:5e:00:01:01`));
      const sees = ns.exec("ip", ["neighbour", "show", "dev", "v0"]);
      expect(sees).toContain(own.split("/")[0]);
    } finally {
      await client.close();
    }
  });

  test("missing rights and missing interfaces are named", () => {
    ns.exec("ip", ["link", "delete", "v0"]);
    expect(() => act("install")).toThrow(/interface v0: ENODEV/);
  });
});
