/**
 * The connection tracking table of a router between a client and a server, all in namespaces. What
 * conntrack(8) says of it is the reference.
 */
import type { ChildProcess } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { STATUS } from "../../api/example.js";
import { JsonLines } from "../../fixture/lines.js";
import { fixture, Namespace, rootOnly } from "../../fixture/netns.js";

const FORWARDING = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"];
const STRICT = "net.netfilter.nf_conntrack_tcp_loose=0";
/** Duplicate address detection would hold the first IPv6 packets back for seconds. */
const NO_DAD = "net.ipv6.conf.default.accept_dad=0";
/** TCP flag of a direction whose windows are not checked (nf_conntrack_tcp.h). */
const BE_LIBERAL = 8;
/** 10.1.0.3 is translated to the router's address, 10.1.0.2 is not. */
const RULES = `table ip t {
  chain strict {
    type filter hook prerouting priority 0;
    ct state invalid drop
  }
  chain translate {
    type nat hook postrouting priority 100;
    ip saddr 10.1.0.3 meta l4proto tcp snat to 10.2.0.1:20000-20100
    ip saddr 10.1.0.3 snat to 10.2.0.1
  }
}
table ip6 t {
  chain strict {
    type filter hook prerouting priority 0;
    ct state invalid drop
  }
}`;

class Network {
  readonly client = new Namespace();
  readonly router = new Namespace();
  readonly server = new Namespace();
  readonly peer: JsonLines;

  constructor() {
    const { client, router, server } = this;
    for (const ns of [client, router, server]) ns.exec("sysctl", ["-qw", NO_DAD]);
    client.veth("c0", "r0", router);
    router.veth("r1", "s0", server);
    this.address(client, "c0", "10.1.0.2/24", "10.1.0.3/24", "fd01::2/64");
    this.address(router, "r0", "10.1.0.1/24", "fd01::1/64");
    this.address(router, "r1", "10.2.0.1/24", "fd02::1/64");
    this.address(server, "s0", "10.2.0.2/24", "fd02::2/64");
    this.route(client, "10.1.0.1", "fd01::1");
    this.route(server, "10.2.0.1", "fd02::1");
    router.exec("nft", ["-f", "-"], RULES);
    for (const setting of [...FORWARDING, STRICT]) router.exec("sysctl", ["-qw", setting]);
    this.peer = new JsonLines(router.spawn("node", [fixture("conntrack.mjs")]));
  }

  private address(ns: Namespace, device: string, ...addresses: string[]): void {
    for (const address of addresses) {
      const flags = address.includes(":") ? ["nodad"] : [];
      ns.exec("ip", ["address", "add", address, "dev", device, ...flags]);
    }
  }

  private route(ns: Namespace, ...gateways: string[]): void {
    for (const gateway of gateways) ns.exec("ip", ["route", "add", "default", "via", gateway]);
  }

  async serve(): Promise<void> {
    await ready(this.server.spawn("node", [fixture("echo.mjs"), "server"]));
  }

  /** A client with an open TCP connection, from `source` where it matters. */
  async connect(to: string, source = ""): Promise<JsonLines> {
    if (source !== "") {
      const route = ["route", "replace", to, "via", "10.1.0.1", "src", source];
      this.client.exec("ip", route);
    }
    const child = this.client.spawn("node", [fixture("echo.mjs"), "client", to]);
    await ready(child);
    return new JsonLines(child);
  }

  /** What conntrack(8) lists, in the words that both tell: without family, time-out and use. */
  reference(): string[] {
    const text = this.router.exec("conntrack", ["-L", "-o", "extended"]);
    const lines = text.split("\n").filter((line) => line !== "");
    return lines.map((line) => comparable(line.split(/\s+/).slice(2).join(" "))).sort();
  }

  async close(): Promise<void> {
    for (const ns of [this.client, this.router, this.server]) await ns.close();
  }
}

function ready(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.stdout?.once("data", resolve));
}

function comparable(line: string): string {
  const [protocol, number, _timeout, ...words] = line.split(/\s+/);
  const shown = words.filter((word) => !/^(use|bucket|owner|peers|community-id)=/.test(word));
  return [protocol, number, ...shown].join(" ");
}

rootOnly("the connection tracking table", () => {
  let net: Network;

  beforeEach(async () => {
    net = new Network();
    await net.serve();
  });
  afterEach(() => net.close());

  const dump = async (filter: object | null = null) => {
    const { report, lines } = await net.peer.ask({ do: "dump", filter });
    expect(report).toMatchObject({ isInterrupted: false, malformed: 0, records: lines.length });
    return lines as string[];
  };
  const say = async (client: JsonLines, text: string, timeout: number) => {
    return (await client.ask({ do: "say", text, wait: text, timeout })).echoed as boolean;
  };

  test("conntrack -L and we agree: TCP, UDP, ICMP, IPv6, translated", async () => {
    await net.connect("10.2.0.2");
    await net.connect("fd02::2");
    await net.connect("10.2.0.2", "10.1.0.3");
    net.client.exec("ping", ["-c1", "-W2", "-I", "10.1.0.2", "10.2.0.2"]);
    net.client.exec("ping", ["-c1", "-W2", "-I", "10.1.0.3", "10.2.0.2"]);
    net.client.exec("ping", ["-c1", "-W2", "fd02::2"]);
    const ours = (await dump()).map(comparable).sort();
    expect(ours).toEqual(net.reference());
    expect(ours.length).toBeGreaterThanOrEqual(9);
    expect(
      ours.filter((line) => /ESTABLISHED.* dst=10\.2\.0\.1 .*dport=20\d\d\d/.test(line)),
    ).toEqual([expect.stringContaining("src=10.1.0.3")]);
  });

  test("create, update, delete and flush are seen by conntrack -L", async () => {
    await net.connect("10.2.0.2", "10.1.0.3");
    net.client.exec("ping", ["-c1", "-W2", "fd02::2"]);
    const before = (await dump()).map(comparable).sort();
    const done = before.map(() => 0);
    expect(await net.peer.ask({ do: "delete" })).toEqual({ errnos: done });
    expect(await net.peer.ask({ do: "delete" })).toEqual({ errnos: before.map(() => 2) });
    expect(net.reference()).toEqual([]);

    const marked = before.map((line) => line.replace("mark=0", `mark=${0x50000}`));
    const patch = { mark: 0x50000 };
    expect(await net.peer.ask({ do: "create", patch })).toEqual({ errnos: done });
    expect(net.reference()).toEqual(marked);
    expect(await net.peer.ask({ do: "create", patch })).toEqual({ errnos: before.map(() => 17) });

    expect(await net.peer.ask({ do: "update", patch: { mark: 0x60000 } })).toEqual({
      errnos: done,
    });
    expect(net.reference().every((line) => line.includes(`mark=${0x60000}`))).toBe(true);
    await net.peer.ask({ do: "flush", filter: { value: 0x50000, mask: 0xffff0000 } });
    expect(net.reference()).toHaveLength(before.length);
    await net.peer.ask({ do: "flush", filter: { value: 0x60000, mask: 0xffff0000 } });
    expect(net.reference()).toEqual([]);
  });

  test("an old id does not delete the flow that came after", async () => {
    await net.peer.ask({ do: "many", count: 1 });
    await dump();
    expect(await net.peer.ask({ do: "delete", patch: { id: 1 } })).toEqual({ errnos: [2] });
    expect(await net.peer.ask({ do: "delete", patch: { id: 0 } })).toEqual({ errnos: [0] });
  });

  test("the kernel filters a dump by mark", async () => {
    await net.peer.ask({ do: "many", count: 300, patch: { mark: 0x50007 } });
    await net.connect("10.2.0.2");
    expect(await dump({ value: 0x50000, mask: 0xffff0000 })).toHaveLength(300);
    expect(await dump({ value: 0x60000, mask: 0xffff0000 })).toHaveLength(0);
  });

  test("of a batch, each failure is told with its own place", async () => {
    await net.peer.ask({ do: "many", count: 200 });
    expect(await net.peer.ask({ do: "many", count: 500 })).toEqual({ failed: 200 });
  });

  test.each([
    ["as it is", "10.1.0.2"],
    ["translated", "10.1.0.3"],
  ])("a replica carries a running connection on, %s", async (_, source) => {
    const client = await net.connect("10.2.0.2", source);
    expect(await say(client, "one", 2000)).toBe(true);
    await dump();
    const { lines } = await net.peer.ask({ do: "keep", match: "ESTABLISHED" });
    expect(lines).toEqual([expect.stringContaining(`src=${source} `)]);
    expect(await net.peer.ask({ do: "delete" })).toEqual({ errnos: [0] });
    expect(await say(client, "two", 300)).toBe(false);

    expect(await net.peer.ask({ do: "create" })).toEqual({ errnos: [0] });
    expect(await client.ask({ do: "say", wait: "two", timeout: 5000 })).toEqual({ echoed: true });
    await dump();
    const { flags } = await net.peer.ask({ do: "keep", match: "ESTABLISHED" });
    expect(flags).toEqual([expect.toSatisfy((bits: number) => (bits & BE_LIBERAL) !== 0)]);
    const large = "x".repeat(300_000);
    expect(await say(client, large, 5000)).toBe(true);
    expect(net.reference()).toContainEqual(expect.stringMatching(/^tcp 6 ESTABLISHED .*ASSURED/));
    expect((await client.ask({ do: "end" })).heard).toBe(`onetwo${large}`);
    expect(net.reference()).toContainEqual(expect.stringMatching(/^tcp 6 (TIME_WAIT|LAST_ACK)/));
  });

  test("an expectation is created for a flow with a helper", async () => {
    await net.connect("10.2.0.2");
    await dump();
    await net.peer.ask({ do: "keep", match: "ESTABLISHED" });
    await net.peer.ask({ do: "delete" });
    expect(await net.peer.ask({ do: "create", patch: { helper: "ftp" } })).toEqual({ errnos: [0] });
    const { errnos, found } = await net.peer.ask({ do: "expect" });
    expect(errnos).toEqual([0]);
    expect(found).toMatchObject([{ family: 4, protocol: 6, dstPort: 4242, helper: "ftp" }]);
    const listed = net.router.exec("conntrack", ["-L", "expect"]);
    expect(listed).toMatch(/proto=6 src=10\.1\.0\.2 dst=10\.2\.0\.2 .*dport=4242 .*helper=ftp/);
  });

  test("a large table is told in chunks, only what carries the cluster's mark", async () => {
    await net.peer.ask({ do: "many", count: 3000, patch: { mark: 0x560000 } });
    await net.connect("10.2.0.2");
    const request = { do: "lines", status: STATUS, markMask: 0xffff0000 };
    const { chunks, lines } = await net.peer.ask(request);
    expect(lines).toHaveLength(3000);
    expect(chunks).toBeGreaterThan(10);
    expect(JSON.parse(lines[0])).toMatchObject({ protocol: "udp", bucket: 85, owner: 2 });
  });

  test("the kernel's refusal of a caller without rights is named", () => {
    const powerless = ["--bounding-set=-all", "--inh-caps=-all"];
    const unprivileged = [...powerless, "node", fixture("conntrack.mjs")];
    const { router } = net;
    const input = `${JSON.stringify({ do: "dump" })}\n`;
    const answer = router.exec("setpriv", unprivileged, input);
    expect(JSON.parse(answer)).toMatchObject({ code: "EPERM" });
  });
});
