import { describe, expect, test } from "vitest";
import { changed, EXAMPLE, parse, refusals } from "./example.js";

const nat = (...rules: string[]) =>
  `${EXAMPLE}nat:\n${rules.map((rule) => `  - ${rule}\n`).join("")}`;
const rule = (rest: string) => `{ out: eth2, source: 192.168.0.0/24${rest} }`;

describe("a translation that is refused", () => {
  const cases: [what: string, text: string, refusal: string][] = [
    [
      "an interface that is not there",
      nat("{ out: eth9, source: 10.0.0.0/8 }"),
      "17: nat[0].out: eth9 is no interface with a cluster MAC: replies would reach one node only (allowed: eth1 | eth2)",
    ],
    [
      "an interface that is only watched",
      nat("{ out: eth2, source: 10.0.0.0/8 }").replace(', mac: "01:00:5e:00:01:02"', ""),
      "17: nat[0].out: eth2 is no interface with a cluster MAC: replies would reach one node only (allowed: eth1)",
    ],
    [
      "an address that nobody answers for",
      nat(rule(", to: 192.168.1.9")),
      "17: nat[0].to: 192.168.1.9 is no cluster address of eth2: nobody would answer for it (allowed: 192.168.1.5, or 192.168.1.9/32 among the addresses of eth2)",
    ],
    [
      "an address of another interface",
      nat(rule(", to: 192.168.0.5")),
      "17: nat[0].to: 192.168.0.5 is no cluster address of eth2: nobody would answer for it (allowed: 192.168.1.5, or 192.168.0.5/32 among the addresses of eth2)",
    ],
    [
      "another family",
      nat(rule(', to: "2001:db8::5"')),
      "17: nat[0].to: 2001:db8::5 and 192.168.0.0/24 are of different families (allowed: an IPv4 address of eth2)",
    ],
    [
      "no address of the family",
      nat('{ out: eth1, source: "2001:db8:a::/64" }'),
      "17: nat[0].to: is missing, and eth1 has no IPv6 cluster address (allowed: an IPv6 address of eth1)",
    ],
    [
      "fewer ports than buckets",
      nat(rule(", ports: 1024-1278")),
      "17: nat[0].ports: 1024-1278 are 255 ports, too few for 256 buckets (allowed: 256 ports or more)",
    ],
    [
      "ports that overlap in part",
      nat(rule(", ports: 1024-4999"), "{ out: eth2, source: 10.0.0.0/8, ports: 4999-9999 }"),
      "18: nat[1].ports: 4999-9999 overlaps with nat[0], which has the same address (allowed: ports beside 1024-4999, or exactly these)",
    ],
    [
      "a protocol that is not replicated",
      changed("[tcp, udp, icmp]", "[tcp]").concat(`nat: [${rule(", protocols: [tcp, udp]")}]\n`),
      "16: nat[0].protocols: udp is not replicated: a new owner could use its tuples twice (allowed: protocols of sync.protocols)",
    ],
    [
      "ports that are none",
      nat(rule(", ports: 9-1")),
      '17: nat[0].ports: "9-1" is not valid (allowed: "first-last")',
    ],
    [
      "a protocol without ports",
      nat(rule(", protocols: [gre]")),
      '17: nat[0].protocols[0]: "gre" is not known (allowed: tcp | udp | udplite | sctp | icmp)',
    ],
    [
      "no protocol",
      nat(rule(", protocols: []")),
      "17: nat[0].protocols: has 0 entries (allowed: a list of 1..5 entries)",
    ],
    [
      "something else for a full slice",
      nat(rule(", full: accept")),
      '17: nat[0].full: "accept" is not known (allowed: drop | reject)',
    ],
  ];

  test.each(cases)("%s", (_, text, refusal) => {
    expect(refusals(text)).toEqual([refusal]);
  });
});

describe("a translation that is taken", () => {
  test("what is not said", () => {
    expect(parse(nat(rule(""))).nat).toEqual([
      {
        out: "eth2",
        source: { address: "192.168.0.0", family: 4, length: 24 },
        to: "192.168.1.5",
        ports: [1024, 65535],
        protocols: ["tcp", "udp", "icmp"],
        full: "drop",
      },
    ]);
  });

  test("the address is that of the interface, however it is written", () => {
    const text = nat('{ out: eth2, source: "2001:db8:a::/64", to: "2001:DB8:0::5" }');
    expect(parse(text).nat[0]?.to).toBe("2001:db8::5");
  });

  test.each([
    ["one port for each bucket", nat(rule(", ports: 1024-1279"))],
    [
      "two sources with the same ports",
      nat(rule(""), "{ out: eth2, source: 10.0.0.0/8, full: reject }"),
    ],
    [
      "two ranges of one address",
      nat(rule(", ports: 1024-4998"), "{ out: eth2, source: 10.0.0.0/8, ports: 4999-9999 }"),
    ],
    ["the same ports of another family", nat(rule(""), '{ out: eth2, source: "2001:db8:a::/64" }')],
    ["none", `${EXAMPLE}nat: []\n`],
  ])("%s", (_, text) => {
    expect(refusals(text)).toEqual([]);
  });
});
