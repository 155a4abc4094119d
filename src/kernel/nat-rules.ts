/**
 * Source address translation with a slice of ports per bucket, as text for `nft -f` and as a batch
 * for what the text cannot say. A new flow that leaves passes, in either family:
 *
 *     forward      100  room       its bucket has no port left for its destination: drop or reject
 *     postrouting   99  translate  connection mark -> slice, in one look-up -> source address, port
 *
 * The kernel asks once per flow: replies, and flows that came from another node, are translated by
 * what connection tracking knows. 99 is just before the rules of others (srcnat, 100), so that
 * nobody's masquerading takes a port of another bucket. The bucket comes from the connection mark,
 * which only `settle` writes, so what the node itself sends is not translated here.
 *
 * **Which port of the slice.** The kernel begins its search at a random port, with the flag OFFSET
 * at the client's own port modulo the width. We take the latter: in the moment of a planned move in
 * which two nodes own a bucket, both forward the first packet of a flow, and both have to translate
 * it alike. A guess from outside is not easier for it: the bucket is from a keyed hash, the place
 * in the slice from the port that the client chose.
 *
 * **Full.** One slice serves as many flows at once as it has ports, for each protocol and
 * destination. When no tuple is free the kernel gives up after a bounded search, goes on with one
 * that is taken, and drops the packet when the flow is to be confirmed (`insert_failed`). `room`
 * counts flows before that happens, so that the client can be told. It knows those that began on
 * this node since the rules were installed; for the rest the kernel's search remains.
 */
import type { NatProtocol } from "../config/types.js";
import { MarkField } from "../state/mark-field.js";
import { type PortRange, PortSlices } from "../state/port-slices.js";
import type { NetlinkWriter } from "./netlink.js";
import { appendRule, FAMILY, snatFromMap } from "./nftables.js";

/** One translation. */
export interface NatRule {
  /** Interface the packets leave by. */
  readonly out: string;
  /** With prefix length. */
  readonly source: string;
  readonly to: string;
  readonly ports: PortRange;
  readonly protocols: readonly NatProtocol[];
  readonly full: "drop" | "reject";
}

/** What the rules of translation depend on. */
export interface NatSettings {
  readonly table: string;
  readonly markMask: number;
  readonly buckets: number;
  readonly nat: readonly NatRule[];
}

/** Bytes of a rule that {@link writeNat} appends, more than any takes. */
export const NAT_RULE_BYTES = 512;

/**
 * Destinations whose flows are counted at once, per address and ports. At the bound those of
 * further ones are not counted, and the kernel's own search is what remains.
 */
const COUNTED_MAX = 65535;

type Family = "ip" | "ip6";

const ICMP: Readonly<Record<Family, string>> = { ip: "icmp", ip6: "ipv6-icmp" };

const addressType = (family: Family) => (family === "ip" ? "ipv4_addr" : "ipv6_addr");
const familyOf = (address: string): Family => (address.includes(":") ? "ip6" : "ip");

interface Place {
  readonly rule: NatRule;
  /** Position in the configuration, which names the chains. */
  readonly at: number;
  /** Position of the first rule with the same address and ports: they share what is counted. */
  readonly pool: number;
}

function rulesOf({ nat }: NatSettings, family: Family): Place[] {
  const poolOf = ({ to, ports }: NatRule) =>
    nat.findIndex((other) => other.to === to && other.ports.join() === ports.join());
  return nat
    .map((rule, at) => ({ rule, at, pool: poolOf(rule) }))
    .filter(({ rule }) => familyOf(rule.to) === family);
}

/** Maps, sets and chains inside the table of a family; nothing where nothing is translated. */
export function natText(settings: NatSettings, family: Family): string {
  const places = rulesOf(settings, family);
  if (places.length === 0) return "";
  const pools = [...new Set(places.map(({ pool }) => pool))];
  const mask = settings.markMask;
  return [
    ...pools.map((pool) => slicesText(settings, pool)),
    ...pools.map((pool) => countedText(pool, family)),
    "  chain room {\n    type filter hook forward priority 100; policy accept;",
    ...places.map(({ rule, at }) => `    ct state new ${matchText(rule, mask)} goto room_${at}`),
    "  }\n  chain translate {\n    type nat hook postrouting priority 99; policy accept;",
    ...places.map(({ rule, at }) => `    ${matchText(rule, mask)} goto snat_${at}`),
    "  }",
    ...places.map((place) => roomText(settings, place)),
    ...places.map(({ at }) => `  chain snat_${at} {\n  }`),
    "",
  ].join("\n");
}

/**
 * Translation without buckets, to all of the ports: for a node that goes on alone, forwarding
 * whatever it sees.
 */
export function plainNatText({ table, nat }: NatSettings): string {
  const rules = (family: Family) =>
    nat
      .filter(({ to }) => familyOf(to) === family)
      .map((rule) => {
        const address = family === "ip6" ? `[${rule.to}]` : rule.to;
        return `    ${flowText(rule)} snat to ${address}:${rule.ports.join("-")}`;
      });
  return (["ip", "ip6"] as const)
    .filter((family) => rules(family).length > 0)
    .map(
      (family) => `table ${family} ${table} {
  chain translate {
    type nat hook postrouting priority 99; policy accept;
${rules(family).join("\n")}
  }
}
`,
    )
    .join("");
}

function flowText({ out, source, protocols, to }: NatRule): string {
  const family = familyOf(to);
  const names = protocols.map((name) => (name === "icmp" ? ICMP[family] : name));
  return `oifname "${out}" ${family} saddr ${source} meta l4proto { ${names.join(", ")} }`;
}

function matchText(rule: NatRule, mask: number): string {
  return `${flowText(rule)} ct mark & ${mask} != 0`;
}

function slicesText({ markMask, buckets, nat }: NatSettings, pool: number): string {
  const { to, ports } = nat[pool] as NatRule;
  const field = new MarkField(markMask);
  const slices = new PortSlices(ports, buckets);
  const elements = Array.from({ length: buckets }, (_, bucket) => {
    return `      ${field.encode(bucket)} : ${to} . ${slices.of(bucket).join("-")}`;
  });
  return `  map slices_${pool} {
    type mark : interval ${addressType(familyOf(to))} . inet_service
    elements = {
${elements.join(",\n")}
    }
  }`;
}

/** Flows per bucket and destination. ICMP has no port there: its ids are those of the source. */
function countedText(pool: number, family: Family): string {
  const address = addressType(family);
  const set = (name: string, type: string) => `  set ${name}_${pool} {
    type ${type}
    size ${COUNTED_MAX}
    flags dynamic
  }`;
  return [
    set("flows", `mark . inet_proto . ${address} . inet_service`),
    set("pings", `mark . ${address}`),
  ].join("\n");
}

function roomText({ markMask, buckets }: NatSettings, { rule, at, pool }: Place): string {
  const { width } = new PortSlices(rule.ports, buckets);
  const family = familyOf(rule.to);
  const bucket = `ct mark & ${markMask}`;
  const key = `${bucket} . meta l4proto . ${family} daddr . th dport`;
  const answer = family === "ip" ? "icmp" : "icmpv6";
  const refusals =
    rule.full === "drop"
      ? ["drop"]
      : ["meta l4proto tcp reject with tcp reset", `reject with ${answer} admin-prohibited`];
  return `  chain room_${at} {
    meta l4proto ${ICMP[family]} goto room_${at}_icmp
    add @flows_${pool} { ${key} ct count over ${width} } goto full_${at}
  }
  chain room_${at}_icmp {
    add @pings_${pool} { ${bucket} . ${family} daddr ct count over ${width} } goto full_${at}
  }
  chain full_${at} {
    counter name no_port
${refusals.map((rule) => `    ${rule}`).join("\n")}
  }`;
}

/**
 * Appends the rules that translate: `nft` knows no flag OFFSET.
 * @returns how many, each of them acknowledged by the kernel
 */
export function writeNat(writer: NetlinkWriter, settings: NatSettings): number {
  const { table, markMask, nat } = settings;
  for (const family of ["ip", "ip6"] as const) {
    const number = family === "ip" ? FAMILY.IPV4 : FAMILY.IPV6;
    for (const { at, pool } of rulesOf(settings, family)) {
      appendRule(writer, number, table, `snat_${at}`, () =>
        snatFromMap(writer, number, `slices_${pool}`, markMask),
      );
    }
  }
  return nat.length;
}
