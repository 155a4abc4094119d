import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError, loadConfig, parseConfig } from "../../src/config/config.js";
import { changed, EXAMPLE, parse, refusals } from "./example.js";

const MINIMAL = `node: 7
cluster: { name: a, insecure: true }
links: [{ interface: eth0, group: "ff02::99" }]
interfaces: [{ name: eth1 }]
`;

describe("a valid configuration", () => {
  test("becomes plain values", () => {
    const config = parse(EXAMPLE);
    expect(config.cluster.hash).toEqual({ mode: "tuple", seed: 0xdeadbeef, totalNodes: null });
    expect(config.links).toEqual([
      { interface: "eth3", group: "225.0.0.50", port: 3780, peers: [] },
    ]);
    expect(config.timing).toEqual({ heartbeatMs: 50, failureMs: 200, leaseMs: 150 });
    expect(config.interfaces[1]?.addresses).toEqual([
      { address: "192.168.1.5", family: 4, length: 24 },
      { address: "2001:db8::5", family: 6, length: 64 },
    ]);
    expect(config.api.metrics).toEqual({ address: "127.0.0.1", family: 4, port: 9470 });
  });

  test("needs four sections and has defaults for the rest", () => {
    const config = parse(MINIMAL);
    expect(config.cluster).toEqual({
      name: "a",
      secretFile: null,
      insecure: true,
      buckets: 256,
      hash: { mode: "tuple", seed: null, totalNodes: null },
    });
    expect(config.dataplane).toEqual({
      backend: "nfqueue",
      queues: 1,
      firstQueue: 100,
      onExit: "drop",
      markMask: 0xffff0000,
      copyRange: 256,
      queueLength: 4096,
      socketBuffer: 4194304,
      gso: true,
      pickup: false,
      offload: "established",
      earlyDrop: "none",
      strictTcp: true,
    });
    expect(config.membership).toEqual({ isolation: "serve", size: null, probes: [] });
    expect(config.api).toEqual({ socket: "/run/shardwall/shardwall.sock", metrics: null });
    expect(config.log).toEqual({ level: "info" });
  });

  test("filters of replication are prefixes, and leave nothing out by default", () => {
    const { sync } = parse(`${MINIMAL}sync: { ignore: [10.0.0.0/8], states: [established] }\n`);
    expect(sync).toEqual({
      protocols: ["tcp", "udp", "icmp"],
      states: ["established"],
      ignore: [{ address: "10.0.0.0", family: 4, length: 8 }],
      only: [],
      windowMs: 250,
      flows: 262144,
      eventBufferBytes: 33_554_432,
      holdMs: 0,
      replicas: "warm",
    });
    expect(parse(MINIMAL).sync.states).toEqual(["opening", "established", "closing"]);
  });

  test("a section with all its keys commented out is a section left out", () => {
    expect(parse(`${MINIMAL}timing:\n  # failureMs: 300\n`).timing.failureMs).toBe(200);
  });

  test("is frozen to the last leaf", () => {
    const config = parse(EXAMPLE) as { cluster: { hash: { seed: number } } };
    expect(() => {
      config.cluster.hash.seed = 1;
    }).toThrow(TypeError);
  });

  test("a relative secret file lies beside the configuration", () => {
    const config = parse(changed("/etc/shardwall/secret", "keys/edge"));
    expect(config.cluster.secretFile).toBe("/etc/shardwall/keys/edge");
  });

  test("numbers of 32 bits are written in decimal, hex, or hex as text", () => {
    for (const seed of ["3735928559", "0xdeadbeef", '"0xDEADBEEF"']) {
      expect(parse(changed("seed: 0xdeadbeef", `seed: ${seed}`)).cluster.hash.seed).toBe(
        0xdeadbeef,
      );
    }
  });

  test("xt-cluster has one bucket per node", () => {
    const text = changed("  buckets: 256\n", "").replace(
      "mode: tuple",
      "mode: xt-cluster, totalNodes: 3",
    );
    expect(parse(text).cluster.buckets).toBe(3);
  });

  test("peers of a unicast link take the link's port where they name none", () => {
    const peers = '["10.0.0.2", "10.0.0.3:99"]';
    const link = parse(changed("group: 225.0.0.50", `peers: ${peers}`)).links[0];
    expect(link?.group).toBeNull();
    expect(link?.peers.map((peer) => peer.port)).toEqual([3780, 99]);
  });
});

describe("what is refused, with its line, its key and what is allowed", () => {
  const cases: [what: string, text: string, refusals: string[]][] = [
    [
      "a number out of its bounds",
      changed("node: 1", "node: 300"),
      ["1: node: 300 is out of range (allowed: 1..255)"],
    ],
    ["a missing key", changed("node: 1\n", ""), ["1: node: is missing (allowed: 1..255)"]],
    [
      "a word that is near a known one",
      changed("mode: tuple", "mode: tupel"),
      [
        '6: cluster.hash.mode: "tupel" is not known, did you mean "tuple"? (allowed: tuple | source | xt-cluster)',
      ],
    ],
    [
      "an unknown key",
      changed("timing: { heartbeatMs: 50,", "timing: { hartbeatMs: 50,"),
      [
        '9: timing.hartbeatMs: unknown key, did you mean "heartbeatMs"? (allowed: heartbeatMs, failureMs)',
      ],
    ],
    [
      "another type",
      changed("queues: 2", "queues: many"),
      ['13: dataplane.queues: is "many", not a number (allowed: 1..64)'],
    ],
    [
      "a fraction",
      changed("queues: 2", "queues: 2.5"),
      ["13: dataplane.queues: is 2.5, not a whole number (allowed: 1..64)"],
    ],
    [
      "a unicast group",
      changed("225.0.0.50", "10.0.0.1"),
      ['8: links[0].group: "10.0.0.1" is not valid (allowed: an IPv4 or IPv6 multicast address)'],
    ],
    [
      "an address without its prefix length",
      changed("[192.168.0.5/24]", "[192.168.0.5]"),
      [
        '11: interfaces[0].addresses[0]: "192.168.0.5" is not valid (allowed: an address with prefix length, 192.168.0.5/24 or 2001:db8::5/64)',
      ],
    ],
    [
      "a seed of more than 32 bits, told once",
      changed("seed: 0xdeadbeef", 'seed: "0xdeadbeef00"'),
      [
        '6: cluster.hash.seed: "0xdeadbeef00" is not valid (allowed: 0..4294967295, also as "0x...")',
      ],
    ],
    [
      "an empty list",
      changed("[tcp, udp, icmp]", "tcp"),
      ['14: sync.protocols: is "tcp", not a list (allowed: a list of 0..8 entries)'],
    ],
    ["a key twice", `${EXAMPLE}node: 2\n`, ["16: Map keys must be unique"]],
  ];

  test.each(cases)("%s", (_, text, expected) => {
    expect(refusals(text)).toEqual(expected);
  });

  test("all at once, in the order of the lines, from schema and relations alike", () => {
    const text = changed("failureMs: 200", "failureMs: 100")
      .replace("node: 1", "node: 0")
      .replace("onExit: drop", "onExit: pass");
    expect(refusals(text).map((line) => line.split(":")[1]?.trim())).toEqual([
      "node",
      "timing.failureMs",
      "dataplane.onExit",
    ]);
  });

  test("no more than a hundred, and the number of the rest", () => {
    const keys = Array.from({ length: 150 }, (_, at) => `x${at}: 1`).join("\n");
    const found = refusals(`${EXAMPLE}${keys}\n`);
    expect(found).toHaveLength(101);
    expect(found.at(-1)).toContain("50 more problems");
  });

  test("text that is no configuration at all", () => {
    expect(refusals("- a\n- b\n")[0]).toMatch(/^1: is a list, not a section of keys/);
    expect(refusals("node: [1\n")[0]).toMatch(/^\d: /);
    expect(refusals("").length).toBeGreaterThanOrEqual(4);
  });

  test("aliases that expand without end", () => {
    const levels = Array.from({ length: 9 }, (_, at) => {
      const before = at === 0 ? "x" : `*a${at - 1}`;
      return `k${at}: &a${at} [${Array(9).fill(before).join(", ")}]`;
    });
    expect(refusals(levels.join("\n"))[0]).toContain("is not usable");
  });

  test("whatever the text is, the only error is a ConfigError", () => {
    fc.assert(
      fc.property(fc.nat(EXAMPLE.length), fc.nat(40), fc.string(), (at, cut, put) => {
        const text = EXAMPLE.slice(0, at) + put + EXAMPLE.slice(at + cut);
        try {
          parseConfig(text, "f");
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
        }
      }),
      { numRuns: 200 },
    );
  });
});

test("a file that is not there is bad input", () => {
  expect(() => loadConfig("/nonexistent.yaml")).toThrow("/nonexistent.yaml: there is no such file");
});
