/**
 * From bytes to tuple: IP header -> transport header -> for an ICMP error, the packet it quotes.
 *
 * Runs once per packet, so nothing here allocates, throws or reads outside `[at, end)`.
 */
import { Reason } from "../../state/reason.js";
import { Status } from "./bytes.js";
import { dissectDccp } from "./dccp.js";
import { dissectIcmp } from "./icmp.js";
import { dissectIcmpv6 } from "./icmpv6.js";
import { dissectIpv4 } from "./ipv4.js";
import { dissectIpv6 } from "./ipv6.js";
import { Field, Kind } from "./packet.js";
import { dissectPortless } from "./portless.js";
import { Protocol } from "./protocol.js";
import { dissectQuote } from "./quote.js";
import { dissectSctp } from "./sctp.js";
import { dissectTcp } from "./tcp.js";
import { dissectUdp, dissectUdpLite } from "./udp.js";

/**
 * Dissects one packet.
 *
 * @param bytes memory that holds the packet
 * @param at index of the first byte of the IP header
 * @param end index behind the last captured byte, at most `bytes.length`; the packet may be longer
 * @param packet receives the tuple and class (see packet.ts); valid only if the status is `OK`
 * @returns `OK`, or the `Reason` to drop the packet for
 */
export function dissect(bytes: Uint8Array, at: number, end: number, packet: Int32Array): number {
  const network = dissectNetwork(bytes, at, end, packet);
  if (network !== Status.OK) return network;
  const transport = dissectTransport(bytes, end, packet);
  if (transport !== Status.OK || packet[Field.CLASS] !== Kind.QUOTES) return transport;
  return dissectQuote(bytes, end, packet);
}

function dissectNetwork(bytes: Uint8Array, at: number, end: number, packet: Int32Array): number {
  if (at >= end) return Reason.TRUNCATED;
  switch ((bytes[at] as number) >> 4) {
    case 4:
      return dissectIpv4(bytes, at, end, packet);
    case 6:
      return dissectIpv6(bytes, at, end, packet);
    default:
      return Reason.UNSUPPORTED;
  }
}

/** Nearly all packets are of one of two; what is short is compiled in one piece with its caller. */
function dissectTransport(bytes: Uint8Array, end: number, packet: Int32Array): number {
  const at = packet[Field.PAYLOAD] as number;
  const limit = packet[Field.LIMIT] as number;
  switch (packet[Field.PROTOCOL]) {
    case Protocol.TCP:
      return dissectTcp(bytes, at, limit, end, packet);
    case Protocol.UDP:
      return dissectUdp(bytes, at, limit, end, packet);
    default:
      return dissectOther(bytes, at, limit, end, packet);
  }
}

function dissectOther(
  bytes: Uint8Array,
  at: number,
  limit: number,
  end: number,
  packet: Int32Array,
): number {
  const protocol = packet[Field.PROTOCOL] as number;
  switch (protocol) {
    case Protocol.UDP_LITE:
      return dissectUdpLite(bytes, at, limit, end, packet);
    case Protocol.SCTP:
      return dissectSctp(bytes, at, limit, end, packet);
    case Protocol.DCCP:
      return dissectDccp(bytes, at, limit, end, packet);
    case Protocol.ICMP:
      if (packet[Field.FAMILY] === 4) return dissectIcmp(bytes, at, limit, end, packet);
      break;
    case Protocol.ICMPV6:
      if (packet[Field.FAMILY] === 6) return dissectIcmpv6(bytes, at, limit, end, packet);
      break;
  }
  return dissectPortless(protocol, at, limit, end, packet);
}
