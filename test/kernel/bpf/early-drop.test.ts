/**
 * The early drop at a real interface: datagrams of another namespace, each in a bucket that is
 * known, are refused exactly where they are foreign. Once as a link, once as a filter of tc.
 */
import { spawn, spawnSync } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseTuple } from "../../../src/cli/tuple.js";
import { BucketHash } from "../../../src/packet/flow/bucket.js";
import { JsonLines } from "../../fixture/lines.js";
import { fixture, Namespace, rootOnly } from "../../fixture/netns.js";

const MAC = "01:00:5e:00:01:01";
const HASH = { mode: "tuple", seed: 0xdeadbeef, buckets: 64 } as const;
const SETTINGS = { ...HASH, sliced: [], markMask: null };
const CLIENT = "10.9.0.1";
const SERVER = "10.9.0.5";
const PORTS = Array.from({ length: 100 }, (_, at) => 20_000 + at);
/** Buckets 0..31. */
const HALF = [-1, 0];
const ALL = [-1, -1];

/** One datagram from each port. */
const SEND = `
const { createSocket } = require("node:dgram");
for (const port of ${JSON.stringify(PORTS)}) {
  const socket = createSocket("udp4");
  socket.bind(port, "${CLIENT}", () => socket.send("x", 9, "${SERVER}", () => socket.close()));
}`;

const hash = new BucketHash(HASH);
const bucketOf = (port: number) =>
  hash.bucketOf(hash.hash(parseTuple(`udp,${CLIENT}:${port},${SERVER}:9`).packet));
const FOREIGN = PORTS.filter((port) => bucketOf(port) >= 32).length;

const hasUserNamespaces = spawnSync("unshare", ["-Urn", "true"]).status === 0;
const why = hasUserNamespaces ? "" : " (SKIPPED: no user namespaces here)";

rootOnly("a user namespace", () => {
  test.skipIf(!hasUserNamespaces)(`may load no programs, which is said${why}`, () => {
    const child = spawn("unshare", ["-Urn", process.execPath, fixture("early-drop.mjs")]);
    const open = { do: "open", settings: SETTINGS, places: [{ ifindex: 1, mac: MAC }] };
    return new JsonLines(child).ask(open).then((answer) => {
      child.kill();
      expect(answer).toEqual({ code: "EPERM", error: expect.stringContaining("needs CAP_BPF") });
    });
  });
});

for (const isFilter of [false, true]) {
  rootOnly(isFilter ? "as a filter of tc" : "as a link", () => {
    let node: Namespace;
    let client: Namespace;
    let drop: JsonLines;
    let ifindex: number;

    const start = async () => {
      const child = node.spawn(process.execPath, [fixture("early-drop.mjs")]);
      drop = new JsonLines(child);
      const places = [{ ifindex, mac: MAC }];
      expect(await drop.ask({ do: "open", settings: SETTINGS, places, isFilter })).toEqual({});
      return child;
    };
    const dropped = async () => (await drop.ask({ do: "count" })).dropped as number;
    /** Datagrams of one round that are refused. */
    const refused = async () => {
      const before = await dropped();
      client.exec(process.execPath, ["-e", SEND]);
      return (await dropped()) - before;
    };

    /** Datagrams that nobody listened for: those that came through. */
    const unheard = () => {
      const [, counts] = node.exec("grep", ["^Udp:", "/proc/net/snmp"]).split("\n");
      return Number((counts as string).split(" ")[2]);
    };

    beforeEach(() => {
      node = new Namespace();
      client = new Namespace();
      node.veth("v0", "v1", client);
      node.exec("ip", ["address", "add", `${SERVER}/24`, "dev", "v0"]);
      client.exec("ip", ["address", "add", `${CLIENT}/24`, "dev", "v1"]);
      client.exec("ip", ["neigh", "add", SERVER, "lladdr", MAC, "dev", "v1"]);
      ifindex = JSON.parse(node.exec("ip", ["-json", "link", "show", "v0"]))[0].ifindex;
    });
    afterEach(async () => {
      await node.close();
      await client.close();
    });

    test("refuses what is outside of the set, counts it, and nothing while inactive", async () => {
      await start();
      expect(FOREIGN).toBeGreaterThan(30);
      await drop.ask({ do: "narrow", buckets: HALF });
      expect(await refused()).toBe(0);
      expect(await drop.ask({ do: "active", isActive: true })).toEqual({ isActive: true });
      expect(await refused()).toBe(FOREIGN);
      await drop.ask({ do: "widen", buckets: ALL });
      expect(await refused()).toBe(0);
      await drop.ask({ do: "narrow", buckets: null });
      expect(await refused()).toBe(PORTS.length);
      await drop.ask({ do: "active", isActive: false });
      expect(await refused()).toBe(0);
    });

    test("leaves alone what is for another MAC address, and ARP", async () => {
      await start();
      await drop.ask({ do: "active", isActive: true });
      client.exec("ip", ["neigh", "delete", SERVER, "dev", "v1"]);
      expect(await refused()).toBe(0);
    });

    test("attached twice it is there once; closed it is gone", async () => {
      await start();
      await drop.ask({ do: "again", places: [{ ifindex, mac: MAC }] });
      await drop.ask({ do: "active", isActive: true });
      expect(await refused()).toBe(PORTS.length);
      expect(unheard()).toBe(0);
      await drop.ask({ do: "close" });
      client.exec(process.execPath, ["-e", SEND]);
      expect(unheard()).toBe(PORTS.length);
      expect(node.exec("tc", ["qdisc", "show", "dev", "v0"])).not.toContain("clsact");
    });

    test("a start after kill -9 leaves nothing twice, foreign filters stay", async () => {
      node.exec("tc", ["qdisc", "add", "dev", "v0", "clsact"]);
      const foreign = "filter add dev v0 ingress prio 7 protocol ip u32 match u32 0 0".split(" ");
      node.exec("tc", foreign);
      const others = node.exec("tc", ["filter", "show", "dev", "v0", "ingress"]);
      const child = await start();
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      client.exec(process.execPath, ["-e", SEND]);
      expect(unheard()).toBe(PORTS.length);
      await start();
      const filters = node.exec("tc", ["filter", "show", "dev", "v0", "ingress"]);
      expect(filters.match(/handle 0x1 shardwall direct-action/g)?.length ?? 0).toBe(
        isFilter ? 1 : 0,
      );
      await drop.ask({ do: "active", isActive: true });
      expect(await refused()).toBe(PORTS.length);
      await drop.ask({ do: "close" });
      expect(node.exec("tc", ["filter", "show", "dev", "v0", "ingress"])).toBe(others);
    });
  });
}
