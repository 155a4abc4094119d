/**
 * The observer against frames that two plain routers forward, once and twice: what it says must
 * be what was sent.
 */
import { afterEach, describe, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { Load, PORTS, startServer } from "../../src/demo/load.js";
import { addCounters, Observer, observerText, toObservation } from "../../src/demo/observer.js";
import { INSIDE, nodeMac, OUTSIDE } from "../../src/demo/topology.js";
import { rootOnly } from "../fixture/netns.js";

describe("counters", () => {
  const counter = (name: string, packets: number, table = "observer") => ({
    counter: { family: "netdev", name, table, handle: 1, packets, bytes: 0 },
  });
  const all = [
    counter("hits_1", 7),
    counter("hits_2", 5),
    counter("accepted_twice", 1),
    counter("overlap", 3),
    counter("untracked", 0),
  ];

  test("are read from nft's JSON, added to those before, other tables left aside", () => {
    const text = JSON.stringify({
      nftables: [{ metainfo: {} }, counter("hits_1", 9, "x"), ...all],
    });
    const counted = new Map([["hits_1", 3]]);
    addCounters(counted, text);
    expect(toObservation(counted, [1, 2])).toEqual({
      hitsByNode: { 1: 10, 2: 5 },
      acceptedTwice: 1,
      overlapPackets: 3,
      untracked: 0,
    });
  });

  test("that are missing are an error, not a zero", () => {
    const counted = new Map<string, number>();
    addCounters(counted, JSON.stringify({ nftables: all }));
    expect(() => toObservation(counted, [1, 2, 3])).toThrow("hits_3");
  });

  test("a node is compared with every other node", () => {
    const text = observerText([1, 2, 3], PORTS);
    const chain = text.slice(text.indexOf("chain from_2"), text.indexOf("chain from_3"));
    expect(chain).toContain("@packets4_1 counter name overlap");
    expect(chain).toContain("@packets4_3 counter name overlap");
    expect(chain).not.toContain("@packets4_2 counter name overlap");
  });
});

rootOnly("frames", () => {
  let lab: Lab;
  afterEach(() => lab.close());

  /**
   * Two routers with the same addresses; client and server know whose MAC address answers for them.
   */
  function routers(insideMac: string): void {
    lab = Lab.open(2);
    for (const role of ["node1", "node2"] as const) {
      for (const [name, { cluster }] of Object.entries({ eth1: INSIDE, eth2: OUTSIDE })) {
        for (const address of cluster) {
          const flags = address.includes(":") ? ["nodad"] : [];
          lab.exec(role, ["ip", "address", "add", address, "dev", name, ...flags]);
        }
      }
      // A router does not forward what came to a multicast MAC, unless the kernel takes it for
      // its own.
      const rule = "type filter hook ingress device eth1 priority 0; policy accept;\n";
      lab.exec(
        role,
        ["nft", "-f", "-"],
        `table netdev host {\nchain frames {\n${rule}meta pkttype set host\n}\n}\n`,
      );
    }
    pin("client", INSIDE.cluster, insideMac);
    pin("server", OUTSIDE.cluster, nodeMac("outside", 1));
  }

  function pin(role: "client" | "server", gateways: readonly string[], mac: string): void {
    for (const gateway of gateways) {
      const address = gateway.split("/")[0] as string;
      const entry = ["lladdr", mac, "nud", "permanent", "dev", "eth0"];
      lab.exec(role, ["ip", "neighbour", "replace", address, ...entry]);
    }
  }

  async function someHits() {
    await startServer(lab);
    const observer = new Observer(lab, PORTS);
    const load = new Load(lab, { rate: 60 });
    await lab.waitFor("hits", () => (load.report?.hits ?? 0) >= 30);
    const { hits, failed } = await load.stop();
    expect(failed).toBe(0);
    return { hits, seen: observer.read() };
  }

  test("one node forwards: all hits are its own, nothing is double", async () => {
    routers(nodeMac("inside", 1));
    const { hits, seen } = await someHits();
    expect(seen).toEqual({
      hitsByNode: { 1: hits, 2: 0 },
      acceptedTwice: 0,
      overlapPackets: 0,
      untracked: 0,
    });
  });

  test("two nodes forward: every connection and every packet is double", async () => {
    routers(INSIDE.mac);
    const { hits, seen } = await someHits();
    expect(seen.hitsByNode).toEqual({ 1: hits, 2: hits });
    expect(seen.acceptedTwice).toBe(hits);
    // SYN, ACK of the handshake, the request, the FIN at least.
    expect(seen.overlapPackets).toBeGreaterThanOrEqual(4 * hits);
    expect(seen.untracked).toBe(0);
  });
});
