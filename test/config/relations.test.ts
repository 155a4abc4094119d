import { describe, expect, test } from "vitest";
import { FAILURE_MS, HEARTBEATS_PER_FAILURE_MIN, leaseMsOf } from "../../src/config/limits.js";
import { maskBits } from "../../src/config/relations.js";
import { changed, EXAMPLE, parse, refusals } from "./example.js";

const XT = "mode: xt-cluster";

describe("keys that do not fit together", () => {
  const cases: [what: string, text: string, refusal: string][] = [
    [
      "neither secret nor insecure",
      changed("  secretFile: /etc/shardwall/secret\n", ""),
      "2: cluster.secretFile: is missing (allowed: a file made by `shardwall keygen`, or insecure: true)",
    ],
    [
      "secret and insecure",
      changed("name: edge", "name: edge\n  insecure: true"),
      "4: cluster.insecure: contradicts secretFile (allowed: one of the two)",
    ],
    [
      "buckets that are no power of two",
      changed("256", "300"),
      "5: cluster.buckets: 300 is no power of two (allowed: a power of two, 2..65536)",
    ],
    [
      "more buckets than the mark has values",
      changed("256", "65536"),
      "13: dataplane.markMask: 0xffff0000 has 16 bits, too few for 65536 buckets (allowed: 17 bits or more)",
    ],
    [
      "a mark with a hole",
      changed("onExit: drop", "onExit: drop, markMask: 0xff00ff00"),
      "13: dataplane.markMask: 0xff00ff00 has a hole (allowed: one piece of bits, 0xffff0000)",
    ],
    [
      "xt-cluster without its number of nodes",
      changed("mode: tuple", XT),
      "6: cluster.hash.totalNodes: is missing; mode xt-cluster needs it (allowed: 1..32)",
    ],
    [
      "xt-cluster with another number of buckets",
      changed("mode: tuple", `${XT}, totalNodes: 4`),
      "5: cluster.buckets: differs from totalNodes; mode xt-cluster has one bucket per node (allowed: 4, or leave it out)",
    ],
    [
      "xt-cluster without the seed all its nodes share",
      changed("mode: tuple, seed: 0xdeadbeef", `${XT}, totalNodes: 4`).replace(
        "  buckets: 256\n",
        "",
      ),
      "5: cluster.hash.seed: is missing; mode xt-cluster needs the --cluster-hash-seed of the other nodes (allowed: 0..4294967295)",
    ],
    [
      "a number of nodes in another mode",
      changed("mode: tuple", "mode: source, totalNodes: 4"),
      "6: cluster.hash.totalNodes: has no meaning in mode source (allowed: mode: xt-cluster)",
    ],
    [
      "queue numbers above 16 bits",
      changed("firstQueue: 100", "firstQueue: 65535"),
      "13: dataplane.firstQueue: makes 65536 the last queue (allowed: firstQueue + queues at most 65536)",
    ],
    [
      "no queue number left for the hold",
      changed("firstQueue: 100", "firstQueue: 65534").replace("icmp]", "icmp], holdMs: 100"),
      "13: dataplane.firstQueue: makes 65536 the last queue (allowed: firstQueue + queues + 1 with sync.holdMs at most 65536)",
    ],
    [
      "a failure time of two heartbeats",
      changed("failureMs: 200", "failureMs: 149"),
      "9: timing.failureMs: 149 is less than 3 heartbeats (allowed: 150 or more with heartbeatMs 50)",
    ],
    [
      "majority of an unknown number",
      `${EXAMPLE}membership: { isolation: majority }\n`,
      "16: membership.size: is missing; isolation majority needs it (allowed: 1..255)",
    ],
    [
      "probe without a gateway",
      `${EXAMPLE}membership: { isolation: probe }\n`,
      "16: membership.probes: is empty; isolation probe needs at least one gateway (allowed: 1 or more addresses)",
    ],
    [
      "a link to nowhere",
      changed("group: 225.0.0.50, ", ""),
      "8: links[0]: has no destination (allowed: either group or peers)",
    ],
    [
      "a link twice",
      changed("timing:", "  - { interface: eth3, group: 225.0.0.50 }\ntiming:"),
      "9: links[1]: is the same as a link before it",
    ],
    [
      "an interface twice",
      changed("name: eth2", "name: eth1"),
      "12: interfaces[1].name: eth1 is there twice",
    ],
    [
      "early drop where replies could be picked up",
      changed("mode: tuple", "mode: source").replace(
        "onExit: drop",
        "onExit: drop, pickup: true, earlyDrop: tc",
      ),
      "13: dataplane.earlyDrop: does not go with pickup in mode source: replies would be picked up twice (allowed: none, or pickup: false)",
    ],
    [
      "new flows in the kernel, of which nothing tells the bucket",
      changed("onExit: drop", "onExit: drop, offload: new"),
      "13: dataplane.offload: new needs the early drop (allowed: established, or earlyDrop: tc)",
    ],
    [
      "cold replicas where replies could be picked up",
      changed("mode: tuple", "mode: source")
        .replace("onExit: drop", "onExit: drop, pickup: true")
        .replace("icmp]", "icmp], replicas: cold"),
      "14: sync.replicas: cold does not go with pickup in mode source: replies would be picked up twice (allowed: warm, or pickup: false)",
    ],
    [
      "an address twice",
      changed("192.168.1.5/24", "192.168.0.5/24"),
      "12: interfaces[1].addresses[0]: 192.168.0.5 is there twice",
    ],
    [
      "a unicast MAC address",
      changed("01:00:5e:00:01:01", "02:00:5e:00:01:01"),
      "11: interfaces[0].mac: 02:00:5e:00:01:01 is not a multicast MAC address (allowed: a first octet that is odd (01:00:5e:..., 33:33:...), or unicastMac: true)",
    ],
  ];

  test.each(cases)("%s", (_, text, refusal) => {
    expect(refusals(text)).toEqual([refusal]);
  });
});

describe("keys that just fit", () => {
  const cases: [what: string, text: string][] = [
    ["the most buckets of a mark of 16 bits", changed("256", "32768")],
    [
      "the most buckets, in a mark of 17 bits",
      changed("256", "65536").replace("onExit: drop", "onExit: drop, markMask: 0xffff8000"),
    ],
    ["a mark in the lowest bits", changed("onExit: drop", "onExit: drop, markMask: 0x3ff")],
    [
      "early drop with pickup, where any packet names its bucket",
      changed("onExit: drop", "onExit: drop, pickup: true, earlyDrop: tc"),
    ],
    [
      "new flows in the kernel, with the early drop",
      changed("onExit: drop", "onExit: drop, offload: new, earlyDrop: tc"),
    ],
    [
      "cold replicas with pickup, where any packet names its bucket",
      changed("onExit: drop", "onExit: drop, pickup: true").replace(
        "icmp]",
        "icmp], replicas: cold",
      ),
    ],
    ["three heartbeats", changed("failureMs: 200", "failureMs: 150")],
    ["the last queue number", changed("firstQueue: 100", "firstQueue: 65534")],
    [
      "a unicast MAC address that was meant",
      changed('mac: "01:00:5e:00:01:01"', 'mac: "02:00:5e:00:01:01", unicastMac: true'),
    ],
  ];

  test.each(cases)("%s", (_, text) => {
    expect(refusals(text)).toEqual([]);
  });
});

test.each([
  [0xffff0000, 16],
  [0xffffffff, 32],
  [0x80000000, 1],
  [1, 1],
  [0x0ff0, 8],
  [0x0f0f, null],
  [0x80000001, null],
])("mask %i has %s bits in one piece", (mask, bits) => {
  expect(maskBits(mask)).toBe(bits);
});

test("every allowed timing has a lease of two heartbeats that ends before the failure time", () => {
  for (let failureMs = FAILURE_MS.min; failureMs <= 1000; failureMs++) {
    const heartbeatMs = Math.floor(failureMs / HEARTBEATS_PER_FAILURE_MIN);
    expect(leaseMsOf(failureMs)).toBeGreaterThanOrEqual(2 * heartbeatMs);
    expect(leaseMsOf(failureMs)).toBeLessThanOrEqual(failureMs - 20);
  }
});

test("a mark wide enough for the default buckets is the default", () => {
  expect(parse(EXAMPLE).dataplane.markMask).toBe(0xffff0000);
});
