/**
 * The rules of one cluster on one node, as text for `nft -f` and as a batch for what the text
 * cannot say.
 *
 * A packet of the cluster passes them in this order (priorities of the IPv4 and IPv6 prerouting
 * hook):
 *
 *     ingress   netdev  PACKET_MULTICAST -> PACKET_HOST, or the kernel would not forward it
 *     -300      raw     sync links: no connection tracking
 *     -200      (conntrack)
 *     -149      ask     INVALID -> drop; bucket of a known flow -> packet mark; then the queue, but
 *                       for established flows of this node, and new ones that come with their
 *                       bucket (`offload`)
 *     -148      settle  bucket not leased -> drop; else bucket -> connection mark
 *
 * On its way out, nat-rules.ts may translate its source.
 *
 * The queue's verdict "accept" goes on at the next hook function, therefore `settle` is one of its
 * own. Both come after the mangle table (-150), so that foreign rules there have been seen and none
 * is skipped. Until the batch has filled the chains `to_queue`, `mark_restore` and `mark_save`,
 * `settle` drops everything.
 */
import { HELD_PROTOCOLS } from "../state/hold-channel.js";
import { NAT_RULE_BYTES, type NatSettings, natText, plainNatText, writeNat } from "./nat-rules.js";
import {
  arpTable,
  type ClusterLink,
  discoveryText,
  netdevTable,
  writeDiscovery,
} from "./neighbour-rules.js";
import type { NetlinkWriter } from "./netlink.js";
import {
  appendRule,
  batch,
  CONNMARK_RESTORE,
  CONNMARK_SAVE,
  connmarkTarget,
  FAMILY,
  queueTarget,
} from "./nftables.js";

/** What the rules depend on. */
export interface RulesetSettings extends NatSettings {
  /** nft table name, the same in each family: letters, digits, `_`. */
  readonly table: string;
  readonly interfaces: readonly ClusterLink[];
  /** UDP port and interface of each sync link. */
  readonly links: readonly { readonly interface: string; readonly port: number }[];
  readonly firstQueue: number;
  readonly queues: number;
  /** Hold first replies in a queue of their own, behind the last of `queues`. */
  readonly hold: boolean;
  /** What is accepted without asking the workers; `new`: also what the early drop has named. */
  readonly offload: "none" | "established" | "new";
}

/** What the kernel decides without us, by the name of the nft counter. The last two accept. */
export const KERNEL_COUNTERS = [
  "invalid",
  "foreign_flow",
  "undecided",
  "not_leased",
  "no_port",
  "known_flow",
  "early_new",
] as const;

/** Families that carry the data path. ARP and netdev have a table each beside them. */
const ALL_FAMILIES = ["ip", "ip6", "arp", "netdev"] as const;

/** Room for the batch of {@link writeTargets} without translation, bytes. */
const TARGETS_BYTES = 16384;

/** Room for the batch of {@link writeTargets}, bytes. */
export function targetsBytes({ nat }: RulesetSettings): number {
  return TARGETS_BYTES + nat.length * NAT_RULE_BYTES;
}

/**
 * A reply of a flow that is not assured: of TCP the answer to a SYN. The kernel has confirmed the
 * flow by then, with both its tuples.
 */
const HOLD_TEXT = [
  "    ct direction reply ct status & assured == 0",
  `meta l4proto { ${HELD_PROTOCOLS.join(", ")} } goto to_hold\n`,
].join(" ");

/** Goes on at `settle`, as a worker's accept would. */
const KNOWN_FLOW = "    ct state established counter name known_flow accept\n";

/** The same for a packet whose bucket the early drop's program has told. */
function earlyText(mask: string): string {
  return `    meta mark & ${mask} != 0 counter name early_new accept\n`;
}

const hex = (value: number) => `0x${(value >>> 0).toString(16).padStart(8, "0")}`;

/** Removes whatever an earlier start left, then says it anew: one transaction, so never half. */
export function rulesetText(settings: RulesetSettings): string {
  return [removalText(settings.table), dataPath(settings, "ip"), dataPath(settings, "ip6")]
    .concat(arpTable(settings), netdevTable(settings))
    .join("\n");
}

/** Removes all tables of ours, whether they exist or not. */
export function removalText(table: string): string {
  return ALL_FAMILIES.map((family) => `table ${family} ${table}\ndelete table ${family} ${table}`)
    .join("\n")
    .concat("\n");
}

/**
 * What `onExit: accept` leaves: frames of the cluster are forwarded without being asked about, and
 * ARP answers stay. Meant for the last node, whose peers are gone.
 */
export function forwardAllText(settings: RulesetSettings): string {
  return [removalText(settings.table), plainNatText(settings)]
    .concat(arpTable(settings), netdevTable(settings))
    .join("\n");
}

function dataPath(settings: RulesetSettings, family: "ip" | "ip6"): string {
  const mask = hex(settings.markMask);
  const sync = settings.links
    .map((link) => `    iifname "${link.interface}" udp dport ${link.port} notrack`)
    .join("\n");
  const syncOut = settings.links
    .map((link) => `    oifname "${link.interface}" udp dport ${link.port} notrack`)
    .join("\n");
  return `table ${family} ${settings.table} {
${KERNEL_COUNTERS.map((name) => `  counter ${name} { }`).join("\n")}
  set leased {
    type mark
    flags interval, timeout
  }
  chain sync_in {
    type filter hook prerouting priority -300; policy accept;
${sync}
  }
  chain sync_out {
    type filter hook output priority -300; policy accept;
${syncOut}
  }
  chain ask {
    type filter hook prerouting priority -149; policy accept;
${jumps(settings, "ask_cluster")}
  }
  chain ask_cluster {
${exemptions(family)}
    ct state invalid counter name invalid drop
    ct mark & ${mask} != 0 goto ask_known
${settings.offload === "new" ? earlyText(mask) : ""}    meta mark set meta mark | ${mask}
    goto to_queue
  }
  chain ask_known {
    ct mark & ${mask} != @leased counter name foreign_flow drop
    jump mark_restore
${settings.hold ? HOLD_TEXT : ""}${settings.offload === "none" ? "" : KNOWN_FLOW}    goto to_queue
  }
  chain settle {
    type filter hook prerouting priority -148; policy accept;
${jumps(settings, "settle_cluster")}
  }
  chain settle_cluster {
${exemptions(family)}
    meta mark & ${mask} @leased goto mark_save
    meta mark & ${mask} == ${mask} counter name undecided drop
    meta mark & ${mask} == 0 counter name undecided drop
    counter name not_leased drop
  }
  chain to_queue {
  }
  chain to_hold {
  }
  chain mark_restore {
  }
  chain mark_save {
  }
${natText(settings, family)}${family === "ip6" ? discoveryText(settings) : ""}}
`;
}

/**
 * Our packets are told by interface and destination MAC: traffic to the node's own MAC is never
 * ours.
 */
function jumps(settings: RulesetSettings, chain: string): string {
  return settings.interfaces
    .map((link) => `    iifname "${link.name}" ether daddr ${link.mac} jump ${chain}`)
    .join("\n");
}

/**
 * Real multicast that shares the MAC address, and neighbour discovery, which every node must hear.
 */
function exemptions(family: "ip" | "ip6"): string {
  if (family === "ip") return "    ip daddr 224.0.0.0/4 return";
  return "    ip6 daddr ff00::/8 return\n    icmpv6 type { 133, 134, 135, 136, 137 } return";
}

/**
 * The batch that fills the chains which the text leaves empty.
 * @returns how many of its messages the kernel acknowledges
 */
export function writeTargets(writer: NetlinkWriter, settings: RulesetSettings): number {
  const { table, markMask, firstQueue, queues } = settings;
  const last = firstQueue + queues;
  let translations = 0;
  batch(writer, () => {
    for (const family of [FAMILY.IPV4, FAMILY.IPV6]) {
      appendRule(writer, family, table, "mark_restore", () =>
        connmarkTarget(writer, CONNMARK_RESTORE, markMask),
      );
      appendRule(writer, family, table, "mark_save", () =>
        connmarkTarget(writer, CONNMARK_SAVE, markMask),
      );
      appendRule(writer, family, table, "to_queue", () => queueTarget(writer, firstQueue, queues));
      appendRule(writer, family, table, "to_hold", () => queueTarget(writer, last, 1));
    }
    writeDiscovery(writer, settings);
    translations = writeNat(writer, settings);
  });
  return 2 * 4 + settings.interfaces.length + translations;
}
