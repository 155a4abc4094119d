/**
 * Source ports whose connections fall into a range: computed with the nodes' own hash, as a user
 * could.
 */
import type { Run } from "../api/report.js";
import { parseTuple } from "../cli/tuple.js";
import { Field } from "../packet/dissect/packet.js";
import { BucketHash } from "../packet/flow/bucket.js";
import { PORTS } from "./load.js";
import { LAB_HASH } from "./node-process.js";
import { INSIDE, OUTSIDE } from "./topology.js";

const PORT_FIRST = 1024;
const PORT_LAST = 65_535;
const TCP = 6;

/** Connections to the server of a lab whose source port is to be chosen. */
export interface Aim {
  /** IANA number. */
  readonly protocol: number;
  /** Destination port; null for an ICMP query, whose id stands for both ports. */
  readonly port: number | null;
  /** Source address. */
  readonly from: string;
  /** Destination of the same family; the server (IPv4) unless told otherwise. */
  readonly to?: string;
  /** Where to begin. */
  readonly first?: number;
}

const PROBES: Aim = { protocol: TCP, port: PORTS.probe, from: INSIDE.probe };

/** At most `count` source ports, or ICMP ids, of which `aim` falls into `range`. */
export function portsInto(range: readonly Run[], count: number, aim = PROBES): number[] {
  const { protocol, port: service, from, to = OUTSIDE.server4 } = aim;
  const ends = service === null ? `${from},${to},1` : `[${from}]:1,[${to}]:${service}`;
  const { packet } = parseTuple(`${protocol},${ends}`);
  const hash = new BucketHash(LAB_HASH);
  const ports: number[] = [];
  for (let port = aim.first ?? PORT_FIRST; port <= PORT_LAST && ports.length < count; port++) {
    packet[Field.SRC_PORT] = port;
    packet[Field.DST_PORT] = service ?? port;
    const bucket = hash.bucketOf(hash.hash(packet));
    if (range.some(([first, last]) => bucket >= first && bucket <= last)) ports.push(port);
  }
  return ports;
}
