/**
 * From bytes to tuple: IP header -> transport header -> for an ICMP error, the packet it quotes.
 *
 * Runs once per packet, so nothing here allocates, throws or reads outside `[at, end)`.
 */
import { Reason } from "../../state/reason.js";
import { OK } from "./bytes.js";
import { DCCP, dissectDccp } from "./dccp.js";
import { dissectIcmp, ICMP } from "./icmp.js";
import { dissectIcmpv6, ICMPV6 } from "./icmpv6.js";
import { dissectIpv4 } from "./ipv4.js";
import { dissectIpv6 } from "./ipv6.js";
import { CLASS, FAMILY, LIMIT, PAYLOAD, PROTOCOL, QUOTES } from "./packet.js";
import { dissectPortless } from "./portless.js";
import { dissectQuote } from "./quote.js";
import { dissectSctp, SCTP } from "./sctp.js";
import { dissectTcp, TCP } from "./tcp.js";
import { dissectUdp, dissectUdpLite, UDP, UDP_LITE } from "./udp.js";

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
  if (network !== OK) return network;
  const transport = dissectTransport(bytes, end, packet);
  if (transport !== OK || packet[CLASS] !== QUOTES) return transport;
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

function dissectTransport(bytes: Uint8Array, end: number, packet: Int32Array): number {
  const at = packet[PAYLOAD] as number;
  const limit = packet[LIMIT] as number;
  const protocol = packet[PROTOCOL] as number;
  switch (protocol) {
    case TCP:
      return dissectTcp(bytes, at, limit, end, packet);
    case UDP:
      return dissectUdp(bytes, at, limit, end, packet);
    case UDP_LITE:
      return dissectUdpLite(bytes, at, limit, end, packet);
    case SCTP:
      return dissectSctp(bytes, at, limit, end, packet);
    case DCCP:
      return dissectDccp(bytes, at, limit, end, packet);
    case ICMP:
      if (packet[FAMILY] === 4) return dissectIcmp(bytes, at, limit, end, packet);
      break;
    case ICMPV6:
      if (packet[FAMILY] === 6) return dissectIcmpv6(bytes, at, limit, end, packet);
      break;
  }
  return dissectPortless(protocol, at, limit, end, packet);
}
