/**
 * Tells the neighbours which MAC address the cluster addresses have: gratuitous ARP (RFC 5227, 3)
 * and unsolicited neighbour advertisements (RFC 4861, 7.2.6). Neighbours that knew the address
 * under another MAC would otherwise send into the void until their cache times out.
 */
import { isIPv6 } from "node:net";
import { addressBytes } from "../config/address.js";
import type { Config } from "../config/types.js";
import { readLink } from "../kernel/address.js";
import type { Logger } from "../platform/log.js";
import { native } from "../platform/native.js";
import { clusterInterfaces } from "./settings.js";

const MAC_BYTES = 6;
const ETHERTYPE = { IPV4: 0x0800, ARP: 0x0806, IPV6: 0x86dd } as const;
const BROADCAST = Buffer.alloc(MAC_BYTES, 0xff);
const ALL_NODES_MAC = Buffer.from("333300000001", "hex");
const ALL_NODES = Buffer.from("ff020000000000000000000000000001", "hex");
const ICMPV6 = 58;
const ADVERTISEMENT = 136;
const OVERRIDE = 0x20;
const TARGET_LINK_LAYER = 2;

const macBytes = (mac: string) => Buffer.from(mac.replaceAll(":", ""), "hex");

function ethernet(destination: Buffer, source: Buffer, ethertype: number, payload: Buffer): Buffer {
  const type = Buffer.alloc(2);
  type.writeUInt16BE(ethertype);
  return Buffer.concat([destination, source, type, payload]);
}

/** An ARP request for our own address: every cache that holds it is updated, none is created. */
export function gratuitousArp(nicMac: string, clusterMac: string, address: string): Buffer {
  const arp = Buffer.alloc(28);
  arp.writeUInt16BE(1, 0); // Ethernet
  arp.writeUInt16BE(ETHERTYPE.IPV4, 2);
  arp.writeUInt8(MAC_BYTES, 4);
  arp.writeUInt8(4, 5);
  arp.writeUInt16BE(1, 6); // request
  macBytes(clusterMac).copy(arp, 8);
  const ip = addressBytes(address);
  arp.set(ip, 14);
  arp.set(ip, 24);
  return ethernet(BROADCAST, macBytes(nicMac), ETHERTYPE.ARP, arp);
}

/** Sum of 16-bit words in one's complement (RFC 1071). */
function internetChecksum(...parts: Buffer[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** An unsolicited neighbour advertisement to all nodes, with the override flag. */
export function unsolicitedAdvertisement(
  nicMac: string,
  clusterMac: string,
  address: string,
): Buffer {
  const ip = Buffer.from(addressBytes(address));
  const icmp = Buffer.alloc(32);
  icmp.writeUInt8(ADVERTISEMENT, 0);
  icmp.writeUInt8(OVERRIDE, 4);
  ip.copy(icmp, 8);
  icmp.writeUInt8(TARGET_LINK_LAYER, 24);
  icmp.writeUInt8(1, 25); // in units of 8 bytes
  macBytes(clusterMac).copy(icmp, 26);
  const pseudo = Buffer.from([0, 0, 0, icmp.length, 0, 0, 0, ICMPV6]);
  icmp.writeUInt16BE(internetChecksum(ip, ALL_NODES, pseudo, icmp), 2);
  const header = Buffer.alloc(8);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(icmp.length, 4);
  header.writeUInt8(ICMPV6, 6);
  header.writeUInt8(255, 7);
  const packet = Buffer.concat([header, ip, ALL_NODES, icmp]);
  return ethernet(ALL_NODES_MAC, macBytes(nicMac), ETHERTYPE.IPV6, packet);
}

export function announcement(nicMac: string, clusterMac: string, address: string): Buffer {
  const build = isIPv6(address) ? unsolicitedAdvertisement : gratuitousArp;
  return build(nicMac, clusterMac, address);
}

/** Tells the neighbours of every cluster address. A failure is logged: caches do time out. */
export function announceAll(config: Config, log: Logger): void {
  for (const { name, mac, addresses } of clusterInterfaces(config)) {
    if (addresses.length === 0) continue;
    try {
      const { ifindex, mac: nicMac } = readLink(name);
      const group = new native.LinkGroup(ifindex, macBytes(mac));
      for (const { address } of addresses) group.send(announcement(nicMac, mac, address));
      group.close();
    } catch (error) {
      const cause = (error as Error).message;
      log.warn({ interface: name, cause }, "neighbours were not told the cluster MAC");
    }
  }
}
