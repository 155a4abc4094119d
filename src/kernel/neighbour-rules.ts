/**
 * What makes a cluster address work on a wire: neighbours learn the cluster MAC from whichever node
 * answers them, and frames to it are taken although it is a multicast address.
 */
import { isIPv6 } from "node:net";
import type { NetlinkWriter } from "./netlink.js";
import { appendRule, FAMILY, setPayload } from "./nftables.js";

/** An interface whose frames to the cluster MAC are the cluster's. */
export interface ClusterLink {
  readonly name: string;
  /** six bytes in lower-case hex with colons */
  readonly mac: string;
  /** with or without prefix length */
  readonly addresses: readonly string[];
}

interface Settings {
  readonly table: string;
  readonly interfaces: readonly ClusterLink[];
}

const bare = (address: string) => address.split("/")[0] as string;

const SOLICITATION = 135;
const ADVERTISEMENT = 136;

/**
 * Neighbour discovery sent from a cluster address tells the cluster MAC; the chains are filled by
 * the batch.
 */
export function discoveryText(settings: Settings): string {
  const rules = settings.interfaces.flatMap((link, index) =>
    link.addresses
      .map(bare)
      .filter(isIPv6)
      .map((address) => {
        const from = `oifname "${link.name}" ip6 saddr ${address}`;
        return `    ${from} icmpv6 type { ${SOLICITATION}, ${ADVERTISEMENT} } jump nd_${index}`;
      }),
  );
  const chains = settings.interfaces.map((_, index) => `  chain nd_${index} {\n  }\n`).join("");
  return `  chain discovery {
    type filter hook output priority 0; policy accept;
${rules.join("\n")}
  }
${chains}`;
}

export function arpTable(settings: Settings): string {
  const rules = settings.interfaces.flatMap((link) =>
    link.addresses
      .map(bare)
      .filter((address) => !isIPv6(address))
      .map(
        (address) =>
          `    oifname "${link.name}" arp saddr ip ${address} arp saddr ether set ${link.mac}`,
      ),
  );
  return `table arp ${settings.table} {
  chain answers {
    type filter hook output priority 0; policy accept;
${rules.join("\n")}
  }
}
`;
}

/**
 * Frames to a multicast MAC are PACKET_MULTICAST: not forwarded, not given to TCP, not trusted as
 * ARP answer.
 */
export function netdevTable(settings: Settings): string {
  const chains = settings.interfaces.map(
    (link, index) => `  chain host_${index} {
    type filter hook ingress device "${link.name}" priority 0; policy accept;
    ether daddr != ${link.mac} accept
    ip daddr 224.0.0.0/4 accept
    ip6 daddr ff00::/8 accept
    meta pkttype set host
  }`,
  );
  return `table netdev ${settings.table} {\n${chains.join("\n")}\n}\n`;
}

/**
 * Offset of the link-layer address in the first option of a solicitation or advertisement (RFC
 * 4861, 4.3).
 */
const ND_LINK_LAYER = 26;
const ICMPV6_CHECKSUM = 2;

/** Fills the chains that {@link discoveryText} leaves empty. */
export function writeDiscovery(writer: NetlinkWriter, { table, interfaces }: Settings): void {
  interfaces.forEach((link, index) => {
    const mac = Buffer.from(link.mac.replaceAll(":", ""), "hex");
    appendRule(writer, FAMILY.IPV6, table, `nd_${index}`, () =>
      setPayload(writer, mac, ND_LINK_LAYER, ICMPV6_CHECKSUM),
    );
  });
}
