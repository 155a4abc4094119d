/**
 * Source ports whose connections fall into a range: computed with the nodes' own hash, as a user
 * could.
 */
import type { Run } from "../api/report.js";
import {
  DST,
  DST_PORT,
  FAMILY,
  newPacket,
  PROTOCOL,
  SRC,
  SRC_PORT,
} from "../packet/dissect/packet.js";
import { BucketHash } from "../packet/flow/bucket.js";
import { PORTS } from "./load.js";
import { LAB_HASH } from "./node-process.js";
import { INSIDE, OUTSIDE } from "./topology.js";

const PORT_FIRST = 1024;
const PORT_LAST = 65_535;
const TCP = 6;

/** Connections (IPv4) to the server of a lab whose source port is to be chosen. */
export interface Aim {
  /** IANA number. */
  readonly protocol: number;
  /** Destination port; null for an ICMP query, whose id stands for both ports. */
  readonly port: number | null;
  /** Source address. */
  readonly from: string;
  /** Where to begin. */
  readonly first?: number;
}

const PROBES: Aim = { protocol: TCP, port: PORTS.probe, from: INSIDE.probe };

/** At most `count` source ports, or ICMP ids, of which `aim` falls into `range`. */
export function portsInto(range: readonly Run[], count: number, aim = PROBES): number[] {
  const hash = new BucketHash(LAB_HASH);
  const packet = newPacket();
  packet[FAMILY] = 4;
  packet[PROTOCOL] = aim.protocol;
  packet[SRC] = addressWord(aim.from);
  packet[DST] = addressWord(OUTSIDE.server4);
  const ports: number[] = [];
  for (let port = aim.first ?? PORT_FIRST; port <= PORT_LAST && ports.length < count; port++) {
    packet[SRC_PORT] = port;
    packet[DST_PORT] = aim.port ?? port;
    const bucket = hash.bucketOf(hash.hash(packet));
    if (range.some(([first, last]) => bucket >= first && bucket <= last)) ports.push(port);
  }
  return ports;
}

/** A dotted IPv4 address as the 32-bit number of its big-endian bytes. */
export function addressWord(address: string): number {
  return address.split(".").reduce((word, byte) => (word << 8) | Number(byte), 0);
}
