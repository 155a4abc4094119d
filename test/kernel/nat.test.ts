/** What the kernel makes of the rules of translation, flow by flow. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { fixture, Namespace, rootOnly } from "../fixture/netns.js";

/** Ten ports to a bucket, from 20000 on. */
const BASE = { out: "v0", ports: [20_000, 22_559], full: "drop" };
const NAT = [
  {
    ...{ ...BASE, source: "10.9.0.0/24", to: "192.168.0.5" },
    protocols: ["tcp", "udp", "udplite", "sctp", "icmp"],
  },
  { ...BASE, source: "2001:db8:9::/64", to: "2001:db8:a::5", protocols: ["udp", "icmp"] },
  {
    ...BASE,
    source: "10.9.1.0/24",
    to: "192.168.0.5",
    ports: [30_000, 30_255],
    protocols: ["udp"],
  },
];
const SETTINGS = JSON.stringify({ nat: NAT });

/** Stands for `settle`: the bucket 5, and a bit that is somebody else's. */
const MARKING = `table inet test {
  chain marking {
    type filter hook output priority 0;
    ip saddr { 10.9.0.1, 10.9.1.1 } ct mark set 0x00060001
    ip6 saddr 2001:db8:9::1 ct mark set 0x00060001
  }
  chain masquerading {
    type nat hook postrouting priority srcnat;
    ip saddr 10.9.0.0/24 masquerade
  }
}
`;
const FIRST = 20_050;

/** Sends one packet. Nothing is answered here: replies would have to pass the queue. */
const SEND = `
const [kind, from, port, to] = process.argv.slice(1);
if (kind === "tcp") {
  const target = { host: to, port: 9, localAddress: from, localPort: Number(port) };
  require("node:net").connect(target).on("error", () => {});
  setTimeout(() => process.exit(), 100);
} else {
  const socket = require("node:dgram").createSocket(from.includes(":") ? "udp6" : "udp4");
  socket.bind(Number(port), from, () => socket.send("x", 9, to, () => socket.close()));
}`;

rootOnly("rules of translation", () => {
  let ns: Namespace;
  let peer: Namespace;
  let directory: string;

  beforeAll(() => {
    [ns, peer] = [new Namespace(), new Namespace()];
    directory = mkdtempSync(join(tmpdir(), "shardwall-test-"));
    ns.veth("v0", "v1", peer);
    ns.veth("s0", "s1");
    for (const address of ["10.9.0.1/24", "10.9.0.2/24", "10.9.1.1/24", "2001:db8:9::1/64"]) {
      ns.exec("ip", ["address", "add", address, "dev", "lo", "nodad"]);
    }
    ns.exec("nft", ["-f", "-"], MARKING);
    for (const address of ["192.168.0.2/24", "2001:db8:a::2/64"]) {
      peer.exec("ip", ["address", "add", address, "dev", "v1", "nodad"]);
    }
    // A reset would end the flow that is to be looked at.
    peer.exec("iptables", ["-A", "INPUT", "-p", "tcp", "-j", "DROP"]);
    act("install");
  });
  afterAll(async () => {
    await ns?.close();
    await peer?.close();
    rmSync(directory, { recursive: true });
  });
  beforeEach(() => {
    ns.exec("conntrack", ["-F"]);
  });

  const act = (verb: string) =>
    ns.exec("node", [fixture("install.mjs"), verb, join(directory, "record.json"), SETTINGS]);
  const send = (kind: string, from: string, port: number, to: string) =>
    ns.exec("node", ["-e", SEND, kind, from, String(port), to]);

  const ping = (from: string, id: number, to: string) =>
    ns.exec("sh", ["-c", `ping -c1 -W0.1 -e ${id} -I ${from} ${to} || true`]);

  /** `address port` that the flow to `server` was translated to; the id of a ping. */
  function translated(protocol: string, server: string): string[] {
    const family = server.includes(":") ? "ipv6" : "ipv4";
    const lines = ns.exec("conntrack", ["-L", "-f", family, "-p", protocol]).split("\n");
    const pattern = new RegExp(`src=${server} dst=(\\S+) .*?(?:dport|id)=(\\d+)`);
    return lines.flatMap((line) => {
      const [, address, port] = pattern.exec(line) ?? [];
      return address === undefined ? [] : [`${address} ${port}`];
    });
  }

  test.each([
    ["tcp", 40_003],
    ["udp", 40_003],
    ["udplite", 40_003],
    ["sctp", 40_003],
    ["icmp", 40_003],
  ])("%s gets the slice of its bucket, at its own place in it", (protocol, port) => {
    if (protocol === "icmp") {
      ping("10.9.0.1", port, "192.168.0.2");
    } else if (protocol === "tcp" || protocol === "udp") {
      send(protocol, "10.9.0.1", port, "192.168.0.2");
    } else {
      const argv = [protocol, "10.9.0.1", String(port), "192.168.0.2", "9"];
      ns.exec("python3", [fixture("one-packet.py"), ...argv]);
    }
    expect(translated(protocol, "192.168.0.2")).toEqual([`192.168.0.5 ${FIRST + 3}`]);
  });

  test("IPv6", () => {
    send("udp", "2001:db8:9::1", 40_007, "2001:db8:a::2");
    expect(translated("udp", "2001:db8:a::2")).toEqual([`2001:db8:a::5 ${FIRST + 7}`]);
    ping("2001:db8:9::1", 40_008, "2001:db8:a::2");
    expect(translated("icmpv6", "2001:db8:a::2")).toEqual([`2001:db8:a::5 ${FIRST + 8}`]);
  });

  test("where that port is taken the next free one, and none beyond the slice", () => {
    for (let round = 0; round < 12; round++) {
      try {
        send("udp", "10.9.0.1", 30_005 + 10 * round, "192.168.0.2");
      } catch {
        // What is dropped on the way out is an error of send().
      }
    }
    const ports = translated("udp", "192.168.0.2").map((end) => Number(end.split(" ")[1]));
    expect(ports.toSorted()).toEqual(Array.from({ length: 10 }, (_, index) => FIRST + index));
  });

  test("a slice of a single port", () => {
    send("udp", "10.9.1.1", 40_003, "192.168.0.2");
    expect(translated("udp", "192.168.0.2")).toEqual(["192.168.0.5 30005"]);
  });

  test("what has no bucket is left to the rules of others", () => {
    send("udp", "10.9.0.2", 40_003, "192.168.0.2");
    expect(translated("udp", "192.168.0.2")).toEqual(["192.168.0.5 40003"]);
  });

  test("a node that goes on alone translates to all of the ports", () => {
    act("leave");
    send("udp", "10.9.0.2", 40_003, "192.168.0.2");
    const [end] = translated("udp", "192.168.0.2");
    const port = Number(end?.split(" ")[1]);
    expect(port).toBeGreaterThanOrEqual(20_000);
    expect(port).toBeLessThanOrEqual(22_559);
    act("install");
  });

  test("nft reads the rules back, and a stop leaves none", () => {
    const listed = ns.exec("nft", ["list", "table", "ip6", "shardwall_test"]);
    expect(listed).toContain("snat ip6 to ct mark & 0xffff0000 map @slices_1");
    expect(listed).toContain("0x00060000 : 2001:db8:a::5 . 20050-20059");
    act("remove");
    expect(ns.exec("nft", ["list", "tables"])).toBe("table inet test\n");
  });
});
