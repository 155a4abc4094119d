/** The parts of a running node that need neither threads nor a kernel. */
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config/config.js";
import { parseInsertFailed, parseQueueDrops } from "../../src/kernel/drops.js";
import { noRuleCounts, RuleCounters } from "../../src/kernel/rule-counts.js";
import { allocateShared } from "../../src/state/layout.js";
import { gratuitousArp, unsolicitedAdvertisement } from "../../src/supervise/announce.js";
import { type Interfaces, unfitReasons } from "../../src/supervise/fitness.js";
import { PortWatch } from "../../src/supervise/port-watch.js";
import { echoRequest, isEchoReply } from "../../src/supervise/probe.js";
import { controlData, installSettings, syncData, tableName } from "../../src/supervise/settings.js";

const CONFIG_TEXT = `node: 3
cluster: { name: edge-1.a, secretFile: /secret }
links: [{ interface: eth3, group: 225.0.0.50 }]
interfaces:
  - { name: eth1, mac: "01:00:5e:00:01:01", addresses: [192.168.0.5/24, "2001:db8::5/64"] }
sync: { protocols: [icmp, tcp] }
api: { socket: /run/sw/node.sock }`;
const CONFIG = parseConfig(CONFIG_TEXT, "test.yaml");
const NIC = "02:00:00:00:01:03";
const CLUSTER = "01:00:5e:00:01:01";
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("own status", () => {
  const running = (...addresses: string[]): Interfaces => ({
    eth1: addresses.map((address) => ({ address })) as never,
  });

  test.each([
    ["all is there", running("192.168.0.5", "2001:db8::5", "fe80::1"), []],
    ["no carrier", {}, ["eth1: no carrier, down or gone"]],
    ["an address is missing", running("192.168.0.5"), ["eth1: address 2001:db8::5 is missing"]],
  ])("%s", (_, interfaces, reasons) => {
    expect(unfitReasons(CONFIG, interfaces)).toEqual(reasons);
  });
});

describe("what neighbours are told", () => {
  test("gratuitous ARP: broadcast from the NIC, the cluster MAC inside", () => {
    expect(hex(gratuitousArp(NIC, CLUSTER, "192.168.0.5"))).toBe(
      "ffffffffffff0200000001030806" +
        "0001080006040001" +
        "01005e000101c0a80005" +
        "000000000000c0a80005",
    );
  });

  test("unsolicited advertisement: to all nodes, override, a right checksum", () => {
    const frame = unsolicitedAdvertisement(NIC, CLUSTER, "2001:db8::5");
    expect(hex(frame.subarray(0, 14))).toBe("33330000000102000000010386dd");
    expect(hex(frame.subarray(14, 22))).toBe("6000000000203aff");
    expect(hex(frame.subarray(62))).toBe("20010db80000000000000000000000050201" + "01005e000101");
    const pseudo = [...frame.subarray(22, 54), 0, 0, 0, 32, 0, 0, 0, 58, ...frame.subarray(54)];
    let sum = 0;
    for (let at = 0; at < pseudo.length; at += 2) sum += (pseudo[at] << 8) | pseudo[at + 1];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    expect(sum).toBe(0xffff);
  });
});

describe("gateway probes", () => {
  test("an echo request, and what answers it", () => {
    expect(hex(echoRequest(4, 0xabcd, 2)).slice(0, 16)).toBe("08000000abcd0002");
    expect(hex(echoRequest(6, 0xabcd, 65537)).slice(0, 16)).toBe("80000000abcd0001");
    const header = `45${"00".repeat(19)}`;
    const reply = Buffer.from(`${header}00000000abcd0002`, "hex");
    expect(isEchoReply(4, reply, 0xabcd)).toBe(true);
    expect(isEchoReply(4, reply, 0xabce)).toBe(false);
    expect(isEchoReply(6, Buffer.from("81000000abcd0002", "hex"), 0xabcd)).toBe(true);
  });

  test.each(["", "45", `45${"00".repeat(20)}`, "4f000000"])(
    "%s is none and harms nobody",
    (text) => {
      expect(isEchoReply(4, Buffer.from(text, "hex"), 1)).toBe(false);
    },
  );
});

describe("settings", () => {
  test("the table's name is one that nft accepts", () => {
    expect(tableName("edge-1.a")).toBe("shardwall_edge_1_a");
  });

  test("rules know interfaces, links and where to remember what was there", () => {
    const settings = installSettings(CONFIG, "/run/sw");
    expect(settings.interfaces).toEqual([
      { name: "eth1", mac: CLUSTER, addresses: ["192.168.0.5/24", "2001:db8::5/64"] },
    ]);
    expect(settings.links).toEqual([{ interface: "eth3", port: 3780 }]);
    expect(settings.recordFile).toBe("/run/sw/shardwall_edge_1_a.node3.json");
  });

  test("icmp stands for both families", () => {
    expect(syncData(CONFIG, false).protocols).toEqual([1, 58, 6]);
  });
});

const NOTHING = noRuleCounts();

describe("what the kernel decided", () => {
  test("by queue: only ours, summed", () => {
    const text = `   99  1 0 2 256 7 7 9 1
  100 22 0 2 256 3 1 9 1
  101 23 0 2 256 4 0 9 1
garbage
`;
    expect(parseQueueDrops(text, 100, 2)).toEqual({ queueDropped: 7, socketDropped: 1 });
    expect(parseQueueDrops("", 100, 2)).toEqual({ queueDropped: 0, socketDropped: 0 });
  });

  test("rules that are made anew do not take the counts along", () => {
    const counters = new RuleCounters();
    const known = (packets: number) => counters.note({ ...NOTHING, known_flow: packets });
    for (const packets of [5, 7, 7, 2, 3]) known(packets);
    expect(counters.total).toEqual({ ...NOTHING, known_flow: 10 });
  });

  test("because a tuple was taken: hex, all processors, whatever columns there are", () => {
    const text = `entries  clashres insert insert_failed drop
00000001  00000000 00000005 0000000a 00000001
00000001  00000000 00000006 00000002 00000001
`;
    expect(parseInsertFailed(text)).toBe(12);
    expect(parseInsertFailed("entries drop\n00000001 00000001\n")).toBe(0);
    expect(parseInsertFailed("")).toBe(0);
  });
});

describe("translations out of ports", () => {
  const warnings: object[] = [];
  const watch = new PortWatch({ warn: ((what: object) => warnings.push(what)) as never });
  const steps: [atMs: number, noPort: number, insertFailed: number, warned: number, why: string][] =
    [
      [0, 7, 3, 0, "what was before is none of ours"],
      [1000, 7, 3, 0, "nothing new"],
      [2000, 8, 5, 1, "three refused"],
      [3000, 9, 5, 1, "not again so soon"],
      [61_999, 9, 5, 1, "nor now"],
      [62_000, 9, 5, 2, "what had to wait"],
      [200_000, 9, 5, 2, "all is quiet"],
      [300_000, 2, 5, 3, "counters of new rules begin at 0"],
    ];

  test.each(steps)(
    "at %i ms: %i and %i counted, %i warnings: %s",
    (atMs, noPort, failed, warned) => {
      watch.note({ noPort, insertFailed: failed }, atMs);
      expect(warnings).toHaveLength(warned);
    },
  );

  test("each warning says how many since the last one", () => {
    expect(warnings.map((what) => (what as { refused: number }).refused)).toEqual([3, 1, 2]);
  });
});

test("nodes that translate to other ports do not join each other", () => {
  const digest = (nat: string) => {
    const port = new MessageChannel().port1;
    const config = parseConfig(`${CONFIG_TEXT}\nnat: ${nat}`, "test.yaml");
    const shared = allocateShared(256, 1);
    const secrets = { current: new Uint8Array(32), other: null, seed: null };
    const { settings } = controlData(config, secrets, 1, shared, port, null);
    port.close();
    return settings.configDigest;
  };
  const rule = (ports: string) => `[{ out: eth1, source: 10.0.0.0/8, protocols: [tcp], ${ports} }]`;
  const digests = ["[]", rule("ports: 1024-9999"), rule("ports: 1024-9998")].map(digest);
  expect(new Set(digests).size).toBe(3);
  expect(digest(rule("ports: 1024-9999, full: reject"))).toBe(digests[1]);
});
