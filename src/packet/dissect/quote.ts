/**
 * The packet inside an ICMP error (RFC 792, RFC 4443 section 2.4 c).
 *
 *     client ---- SYN 10.0.0.1:1234 -> 192.0.2.1:80 ----> router
 *     client <--- time exceeded { SYN 10.0.0.1:1234 -> ...  router
 *
 * The error comes from a router whose address no node has ever seen, so hashing its own header
 * would send it to a node without the flow. The tuple it quotes is that of the flow.
 *
 * Errors quote as little as eight bytes behind the IP header: enough for ports or an id, nothing
 * else is asked for. An error about an error does not exist (RFC 1122 section 3.2.2) and is
 * malformed.
 */
import { Reason } from "../../state/reason.js";
import { room, Status, u16 } from "./bytes.js";
import { checkIcmp, icmpId, isIcmpError } from "./icmp.js";
import { checkIcmpv6, icmpv6Id, isIcmpv6Error } from "./icmpv6.js";
import { dissectQuotedIpv4 } from "./ipv4.js";
import { dissectQuotedIpv6 } from "./ipv6.js";
import { Field, Kind, setTransport } from "./packet.js";
import { Protocol } from "./protocol.js";

const PORTS_BYTES = 4;

/** Replaces the tuple of the error in `packet` by the quoted one, direction as quoted. */
export function dissectQuote(bytes: Uint8Array, end: number, packet: Int32Array): number {
  const status = quotedNetwork(bytes, end, packet);
  return status === Status.OK ? quotedTransport(bytes, end, packet) : status;
}

/** The quoted IP header; an ICMP error quotes its own family only. */
function quotedNetwork(bytes: Uint8Array, end: number, packet: Int32Array): number {
  const at = packet[Field.PAYLOAD] as number;
  const limit = packet[Field.LIMIT] as number;
  const status = room(at, 1, limit, end);
  if (status !== Status.OK) return status;
  if ((bytes[at] as number) >> 4 !== packet[Field.FAMILY]) return Reason.MALFORMED;
  return packet[Field.FAMILY] === 4
    ? dissectQuotedIpv4(bytes, at, limit, end, packet)
    : dissectQuotedIpv6(bytes, at, limit, end, packet);
}

function quotedTransport(bytes: Uint8Array, end: number, packet: Int32Array): number {
  const at = packet[Field.PAYLOAD] as number;
  const limit = packet[Field.LIMIT] as number;
  switch (packet[Field.PROTOCOL]) {
    case Protocol.TCP:
    case Protocol.UDP:
    case Protocol.UDP_LITE:
    case Protocol.SCTP:
    case Protocol.DCCP:
      return quotedPorts(bytes, at, limit, end, packet);
    case Protocol.ICMP:
      return packet[Field.FAMILY] === 4 ? quotedIcmp(bytes, at, limit, end, packet) : Status.OK;
    case Protocol.ICMPV6:
      return packet[Field.FAMILY] === 6 ? quotedIcmpv6(bytes, at, limit, end, packet) : Status.OK;
    default:
      return Status.OK;
  }
}

/** All five protocols begin with source and destination port. */
function quotedPorts(
  bytes: Uint8Array,
  at: number,
  limit: number,
  end: number,
  packet: Int32Array,
): number {
  const status = room(at, PORTS_BYTES, limit, end);
  if (status === Status.OK) setTransport(packet, Kind.QUOTES, u16(bytes, at), u16(bytes, at + 2));
  return status;
}

function quotedIcmp(
  bytes: Uint8Array,
  at: number,
  limit: number,
  end: number,
  packet: Int32Array,
): number {
  const status = checkIcmp(at, limit, end);
  if (status !== Status.OK) return status;
  if (isIcmpError(bytes[at] as number)) return Reason.MALFORMED;
  const id = icmpId(bytes, at);
  setTransport(packet, Kind.QUOTES, id, id);
  return Status.OK;
}

function quotedIcmpv6(
  bytes: Uint8Array,
  at: number,
  limit: number,
  end: number,
  packet: Int32Array,
): number {
  const status = checkIcmpv6(at, limit, end);
  if (status !== Status.OK) return status;
  if (isIcmpv6Error(bytes[at] as number)) return Reason.MALFORMED;
  const id = icmpv6Id(bytes, at);
  setTransport(packet, Kind.QUOTES, id, id);
  return Status.OK;
}
