/** Relations of `nat` entries with interfaces, buckets, replication and each other. */
import { addressBytes, familyOf, parsePorts, parsePrefix } from "./address.js";
import { type Finding, finding, type Path } from "./problem.js";
import type { Parsed } from "./schema.js";

type Rule = Parsed["nat"][number];
type Interfaces = Parsed["interfaces"];

/** The same for each way to write an address. */
const keyOf = (address: string) => Buffer.from(addressBytes(address)).toString("hex");
const sourceFamily = (rule: Rule) => parsePrefix(rule.source)?.family;

/** Cluster addresses of `out` that the sources of a rule can be translated to. */
function candidates(rule: Rule, interfaces: Interfaces): string[] {
  const out = interfaces.find(({ name }) => name === rule.out);
  const prefixes = (out?.addresses ?? []).map(parsePrefix);
  return prefixes.flatMap((prefix) =>
    prefix !== null && prefix.family === sourceFamily(rule) ? [prefix.address] : [],
  );
}

/** The address that a rule translates to, as written in `interfaces`; null where there is none. */
export function translatedAddress(rule: Rule, interfaces: Interfaces): string | null {
  const { to } = rule;
  const found = candidates(rule, interfaces);
  if (to === undefined) return found[0] ?? null;
  return found.find((address) => keyOf(address) === keyOf(to)) ?? null;
}

/** Replies come back only to an address that all nodes answer for on an interface they share. */
export function natInterfaceFindings(nat: readonly Rule[], interfaces: Interfaces): Finding[] {
  const found = nat.flatMap((rule, at) => {
    const one = interfaceFinding(rule, interfaces, ["nat", at]);
    return one === null ? [] : [one];
  });
  return found.length > 0 ? found : overlapFindings(nat, interfaces);
}

function interfaceFinding(rule: Rule, interfaces: Interfaces, path: Path): Finding | null {
  const { out, to } = rule;
  const shared = interfaces.filter(({ mac }) => mac !== undefined).map(({ name }) => name);
  if (!shared.includes(out)) {
    const message = `${out} is no interface with a cluster MAC: replies would reach one node only`;
    return finding([...path, "out"], message, shared.join(" | ") || "an interface with a mac");
  }
  if (translatedAddress(rule, interfaces) !== null) return null;
  const family = `IPv${sourceFamily(rule)}`;
  if (to === undefined) {
    const message = `is missing, and ${out} has no ${family} cluster address`;
    return finding([...path, "to"], message, `an ${family} address of ${out}`);
  }
  if (familyOf(to) !== sourceFamily(rule)) {
    const message = `${to} and ${rule.source} are of different families`;
    return finding([...path, "to"], message, `an ${family} address of ${out}`);
  }
  const message = `${to} is no cluster address of ${out}: nobody would answer for it`;
  const length = familyOf(to) === 4 ? 32 : 128;
  const known = candidates(rule, interfaces).map((address) => `${address}, or `);
  const allowed = `${known.join("")}${to}/${length} among the addresses of ${out}`;
  return finding([...path, "to"], message, allowed);
}

/**
 * Ranges that overlap in part have slices that belong to different buckets, so two nodes could
 * choose the same tuple. Equal ranges have equal slices and do no harm.
 */
function overlapFindings(nat: readonly Rule[], interfaces: Interfaces): Finding[] {
  return nat.flatMap((rule, at) => {
    const to = keyOf(translatedAddress(rule, interfaces) as string);
    const [first, last] = parsePorts(rule.ports) as [number, number];
    const before = nat.slice(0, at).findIndex((other) => {
      const [low, high] = parsePorts(other.ports) as [number, number];
      const isSame = low === first && high === last;
      const isSameAddress = keyOf(translatedAddress(other, interfaces) as string) === to;
      return isSameAddress && !isSame && low <= last && first <= high;
    });
    if (before < 0) return [];
    const message = `${rule.ports} overlaps with nat[${before}], which has the same address`;
    const allowed = `ports beside ${nat[before]?.ports}, or exactly these`;
    return [finding(["nat", at, "ports"], message, allowed)];
  });
}

export function natPortFindings(nat: readonly Rule[], buckets: number): Finding[] {
  return nat.flatMap((rule, at) => {
    const [first, last] = parsePorts(rule.ports) as [number, number];
    const ports = last - first + 1;
    if (ports >= buckets) return [];
    const message = `${rule.ports} are ${ports} ports, too few for ${buckets} buckets`;
    return [finding(["nat", at, "ports"], message, `${buckets} ports or more`)];
  });
}

/** A new owner that does not know a flow could give its translated tuple to another one. */
export function natSyncFindings(nat: readonly Rule[], sync: Parsed["sync"]): Finding[] {
  return nat.flatMap((rule, at) => {
    const missing = rule.protocols.find((name) => !sync.protocols.includes(name));
    if (missing === undefined) return [];
    const message = `${missing} is not replicated: a new owner could use its tuples twice`;
    return [finding(["nat", at, "protocols"], message, "protocols of sync.protocols")];
  });
}
