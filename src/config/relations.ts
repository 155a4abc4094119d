/**
 * Relations between keys, each with its own finding. A check runs when the sections it compares
 * are valid in themselves, so that one wrong section does not hide what is wrong in the others.
 */
import { isMulticastMac, parseEndpoint } from "./address.js";
import * as limits from "./limits.js";
import { natInterfaceFindings, natPortFindings, natSyncFindings } from "./nat.js";
import { type Finding, finding, type Path } from "./problem.js";
import type { Parsed } from "./schema.js";

/** Findings about relations, from those sections that passed the schema. */
export function checkRelations(sections: Partial<Parsed>): Finding[] {
  const { cluster, dataplane, timing, membership, links, interfaces, nat, sync } = sections;
  return [
    ...(cluster ? [...secretFindings(cluster), ...hashFindings(cluster)] : []),
    ...(cluster && dataplane ? markFindings(cluster, dataplane) : []),
    ...(cluster && dataplane ? earlyFindings(cluster, dataplane) : []),
    ...(dataplane ? offloadFindings(dataplane) : []),
    ...(dataplane && sync ? queueFindings(dataplane, sync) : []),
    ...(cluster && dataplane && sync ? replicaFindings(cluster, dataplane, sync) : []),
    ...(timing ? timingFindings(timing) : []),
    ...(membership ? membershipFindings(membership) : []),
    ...(links ? linkFindings(links) : []),
    ...(interfaces ? interfaceFindings(interfaces) : []),
    ...(nat && interfaces ? natInterfaceFindings(nat, interfaces) : []),
    ...(nat && cluster ? natPortFindings(nat, bucketsOf(cluster) ?? 1) : []),
    ...(nat && sync ? natSyncFindings(nat, sync) : []),
  ];
}

function secretFindings(cluster: Parsed["cluster"]): Finding[] {
  const path = ["cluster", "secretFile"];
  if (cluster.secretFile === undefined && !cluster.insecure) {
    return [finding(path, "is missing", "a file made by `shardwall keygen`, or insecure: true")];
  }
  if (cluster.secretFile !== undefined && cluster.insecure) {
    return [finding(["cluster", "insecure"], "contradicts secretFile", "one of the two")];
  }
  return [];
}

/** The number of buckets after the rules of the hash mode; null where it is not valid. */
export function bucketsOf(cluster: Parsed["cluster"]): number | null {
  const { mode, totalNodes } = cluster.hash;
  if (mode === "xt-cluster") return totalNodes ?? null;
  const buckets = cluster.buckets ?? (limits.BUCKETS.fallback as number);
  return (buckets & (buckets - 1)) === 0 ? buckets : null;
}

function hashFindings(cluster: Parsed["cluster"]): Finding[] {
  const at = (key: string): Path => ["cluster", "hash", key];
  const { mode, seed, totalNodes } = cluster.hash;
  const found: Finding[] = [];
  if (mode !== "xt-cluster") {
    if (totalNodes !== undefined) {
      found.push(finding(at("totalNodes"), `has no meaning in mode ${mode}`, "mode: xt-cluster"));
    }
    if (bucketsOf(cluster) === null) {
      const allowed = `a power of two, ${limits.BUCKETS.min}..${limits.BUCKETS.max}`;
      found.push(finding(["cluster", "buckets"], `${cluster.buckets} is no power of two`, allowed));
    }
    return found;
  }
  if (totalNodes === undefined) {
    const allowed = `${limits.TOTAL_NODES.min}..${limits.TOTAL_NODES.max}`;
    found.push(finding(at("totalNodes"), "is missing; mode xt-cluster needs it", allowed));
  }
  if (seed === undefined) {
    const message = "is missing; mode xt-cluster needs the --cluster-hash-seed of the other nodes";
    found.push(finding(at("seed"), message, `0..${limits.SEED.max}`));
  }
  if (cluster.buckets !== undefined && totalNodes !== undefined && cluster.buckets !== totalNodes) {
    const message = "differs from totalNodes; mode xt-cluster has one bucket per node";
    found.push(finding(["cluster", "buckets"], message, `${totalNodes}, or leave it out`));
  }
  return found;
}

/** Bits of a mask that is one piece, or null if it has a hole. */
export function maskBits(mask: number): number | null {
  const lowest = Math.clz32(mask & -mask);
  const bits = lowest - Math.clz32(mask) + 1;
  const piece = (2 ** bits - 1) * 2 ** (31 - lowest);
  return piece === mask ? bits : null;
}

function markFindings(cluster: Parsed["cluster"], dataplane: Parsed["dataplane"]): Finding[] {
  const path = ["dataplane", "markMask"];
  const mask = dataplane.markMask;
  const bits = maskBits(mask);
  const hex = `0x${mask.toString(16).padStart(8, "0")}`;
  if (bits === null) return [finding(path, `${hex} has a hole`, "one piece of bits, 0xffff0000")];
  const values = (bucketsOf(cluster) ?? 0) + limits.MARK_RESERVED_VALUES;
  if (values <= 2 ** bits) return [];
  const needed = Math.ceil(Math.log2(values));
  const message = `${hex} has ${bits} bits, too few for ${values - 2} buckets`;
  return [finding(path, message, `${needed} bits or more`)];
}

/** Where only the opener is hashed, it has to be seen: nothing else tells who opened a flow. */
function earlyFindings(cluster: Parsed["cluster"], dataplane: Parsed["dataplane"]): Finding[] {
  const { mode } = cluster.hash;
  if (dataplane.earlyDrop === "none" || !dataplane.pickup || mode === "tuple") return [];
  const message = `does not go with pickup in mode ${mode}: replies would be picked up twice`;
  return [finding(["dataplane", "earlyDrop"], message, "none, or pickup: false")];
}

/** Only the early drop's program can tell the kernel which new flows are this node's. */
function offloadFindings({ offload, earlyDrop }: Parsed["dataplane"]): Finding[] {
  if (offload !== "new" || earlyDrop !== "none") return [];
  const path = ["dataplane", "offload"];
  return [finding(path, "new needs the early drop", "established, or earlyDrop: tc")];
}

/** Where only the opener is hashed, the kernel has to know of each flow who opened it. */
function replicaFindings(
  cluster: Parsed["cluster"],
  dataplane: Parsed["dataplane"],
  sync: Parsed["sync"],
): Finding[] {
  const { mode } = cluster.hash;
  if (sync.replicas === "warm" || !dataplane.pickup || mode === "tuple") return [];
  const message = `cold does not go with pickup in mode ${mode}: replies would be picked up twice`;
  return [finding(["sync", "replicas"], message, "warm, or pickup: false")];
}

/** With a hold there is one queue more, for the replies that wait. */
function queueFindings(dataplane: Parsed["dataplane"], sync: Parsed["sync"]): Finding[] {
  const more = sync.holdMs > 0 ? 1 : 0;
  const last = dataplane.firstQueue + dataplane.queues + more - 1;
  if (last < limits.QUEUE_NUMBERS) return [];
  const hold = more === 1 ? " + 1 with sync.holdMs" : "";
  const allowed = `firstQueue + queues${hold} at most ${limits.QUEUE_NUMBERS}`;
  return [finding(["dataplane", "firstQueue"], `makes ${last} the last queue`, allowed)];
}

function timingFindings(timing: Parsed["timing"]): Finding[] {
  const { heartbeatMs, failureMs } = timing;
  const least = limits.HEARTBEATS_PER_FAILURE_MIN * heartbeatMs;
  if (failureMs >= least) return [];
  const message = `${failureMs} is less than ${limits.HEARTBEATS_PER_FAILURE_MIN} heartbeats`;
  const allowed = `${least} or more with heartbeatMs ${heartbeatMs}`;
  return [finding(["timing", "failureMs"], message, allowed)];
}

function membershipFindings(membership: Parsed["membership"]): Finding[] {
  const { isolation, size, probes } = membership;
  if (isolation === "majority" && size === undefined) {
    return [finding(["membership", "size"], "is missing; isolation majority needs it", "1..255")];
  }
  if (isolation === "probe" && probes.length === 0) {
    const message = "is empty; isolation probe needs at least one gateway";
    return [finding(["membership", "probes"], message, "1 or more addresses")];
  }
  return [];
}

function linkFindings(links: Parsed["links"]): Finding[] {
  const found: Finding[] = [];
  const seen = new Set<string>();
  for (const [at, link] of links.entries()) {
    const path = ["links", at];
    if ((link.group === undefined) === (link.peers === undefined)) {
      const message = link.group === undefined ? "has no destination" : "has group and peers";
      found.push(finding(path, message, "either group or peers"));
    }
    const ends = (link.peers ?? []).map((peer) => parseEndpoint(peer, link.port));
    const names = ends.map((end) => `${end?.address} ${end?.port}`);
    if (new Set(names).size < names.length) {
      found.push(finding([...path, "peers"], "names a peer twice"));
    }
    if (new Set(ends.map((end) => end?.family)).size > 1) {
      found.push(finding([...path, "peers"], "mixes families", "IPv4 or IPv6, a link for each"));
    }
    const key = `${link.interface} ${link.port} ${link.group ?? "unicast"}`;
    if (seen.has(key)) found.push(finding(path, "is the same as a link before it"));
    seen.add(key);
  }
  return found;
}

function interfaceFindings(interfaces: Parsed["interfaces"]): Finding[] {
  const found: Finding[] = [];
  const names = new Set<string>();
  const addresses = new Set<string>();
  for (const [at, each] of interfaces.entries()) {
    const path = ["interfaces", at];
    if (names.has(each.name)) found.push(finding([...path, "name"], `${each.name} is there twice`));
    names.add(each.name);
    if (each.mac !== undefined) found.push(...macFindings(path, each.mac, each.unicastMac));
    for (const [index, prefix] of each.addresses.entries()) {
      const address = prefix.split("/")[0] as string;
      if (addresses.has(address)) {
        found.push(finding([...path, "addresses", index], `${address} is there twice`));
      }
      addresses.add(address);
    }
  }
  return found;
}

function macFindings(path: Path, mac: string, unicastMac: boolean): Finding[] {
  if (isMulticastMac(mac)) return [];
  const first = Number.parseInt(mac.slice(0, 2), 16);
  if (unicastMac && (first & 1) === 0 && mac !== "00:00:00:00:00:00") return [];
  const allowed = "a first octet that is odd (01:00:5e:..., 33:33:...), or unicastMac: true";
  return [finding([...path, "mac"], `${mac} is not a multicast MAC address`, allowed)];
}
