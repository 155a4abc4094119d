/**
 * IPv6 header and its extension headers (RFC 8200 sections 3 and 4).
 *
 *      0       1       2       3
 *     +---+-------+-------------------+
 *     |ver|traffic|    flow label     |  0
 *     |payload length | next  | hops  |  4
 *     |        source address         |  8 .. 23
 *     |      destination address      | 24 .. 39
 *     +-------------------------------+ 40: extension headers, each naming the next
 *
 * The set of headers stepped over is that of the kernel (`ipv6_skip_exthdr`), so that our tuple and
 * the one of connection tracking name the same protocol: mobility, HIP and shim6 headers count as
 * protocols. Jumbograms (RFC 2675) are not supported; their payload length of 0 makes them
 * malformed.
 */
import { Reason } from "../../state/reason.js";
import { copyWords, NO_LIMIT, room, Status, u16 } from "./bytes.js";
import { Field } from "./packet.js";

const PAYLOAD_LENGTH = 4;
const NEXT = 6;
const SOURCE = 8;
const DESTINATION = 24;
const FIXED_BYTES = 40;

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;

/** Smallest extension header; lengths and fragment fields lie within it. */
const EXTENSION_BYTES_MIN = 8;
const MORE_FRAGMENTS = 0x0001;
const FRAGMENT_OFFSET = 0xfff8;

/** More extension headers than this are `unsupported`: RFC 8200 recommends at most seven. */
export const EXTENSION_HEADERS_MAX = 8;

/** Status of the fixed header. The version is the caller's to look at. */
export function checkIpv6(at: number, limit: number, end: number): number {
  return room(at, FIXED_BYTES, limit, end);
}

/** Bytes behind the fixed header, as the packet states it. */
export function payloadBytes(bytes: Uint8Array, at: number): number {
  return u16(bytes, at + PAYLOAD_LENGTH);
}

/** Writes the network part of `packet`; a status other than `OK` leaves it half written. */
export function dissectIpv6(
  bytes: Uint8Array,
  at: number,
  end: number,
  packet: Int32Array,
): number {
  const status = checkIpv6(at, NO_LIMIT, end);
  if (status !== Status.OK) return status;
  const limit = at + FIXED_BYTES + payloadBytes(bytes, at);
  return writeNetwork(bytes, at, limit, end, false, packet);
}

/**
 * The same for a packet quoted by an ICMPv6 error, which ends at `limit` whatever its length says.
 */
export function dissectQuotedIpv6(
  bytes: Uint8Array,
  at: number,
  limit: number,
  end: number,
  packet: Int32Array,
): number {
  const status = checkIpv6(at, limit, end);
  if (status !== Status.OK) return status;
  return writeNetwork(bytes, at, limit, end, true, packet);
}

function writeNetwork(
  bytes: Uint8Array,
  at: number,
  limit: number,
  end: number,
  quoted: boolean,
  packet: Int32Array,
): number {
  packet[Field.FAMILY] = 6;
  copyWords(bytes, at + SOURCE, packet, Field.SRC);
  copyWords(bytes, at + DESTINATION, packet, Field.DST);
  packet[Field.LIMIT] = limit;
  return walkExtensions(bytes, at, end, quoted, packet);
}

/** Steps over the extension headers to the protocol behind them. */
function walkExtensions(
  bytes: Uint8Array,
  at: number,
  end: number,
  quoted: boolean,
  packet: Int32Array,
): number {
  const limit = packet[Field.LIMIT] as number;
  let next = bytes[at + NEXT] as number;
  let offset = at + FIXED_BYTES;
  for (let seen = 0; seen <= EXTENSION_HEADERS_MAX; seen++) {
    if (!isExtension(next)) {
      packet[Field.PROTOCOL] = next;
      packet[Field.PAYLOAD] = offset;
      return offset > limit ? Reason.MALFORMED : Status.OK;
    }
    const status = room(offset, EXTENSION_BYTES_MIN, limit, end);
    if (status !== Status.OK) return status;
    if (next === FRAGMENT && isFragment(bytes, offset, quoted)) return Reason.FRAGMENT;
    const size = extensionBytes(bytes, offset, next);
    next = bytes[offset] as number;
    offset += size;
  }
  return Reason.UNSUPPORTED;
}

function isExtension(next: number): boolean {
  return (
    next === HOP_BY_HOP ||
    next === ROUTING ||
    next === FRAGMENT ||
    next === AUTHENTICATION ||
    next === DESTINATION_OPTIONS
  );
}

/** Length in bytes. The unit is 8 bytes without the first, but 4 bytes without two in RFC 4302. */
function extensionBytes(bytes: Uint8Array, at: number, kind: number): number {
  if (kind === FRAGMENT) return EXTENSION_BYTES_MIN;
  const length = bytes[at + 1] as number;
  return kind === AUTHENTICATION ? (length + 2) * 4 : (length + 1) * 8;
}

/**
 * An "atomic" fragment (offset 0, nothing follows; RFC 6946) is a whole packet. In a quote the
 * first piece will do, since it has the ports.
 */
function isFragment(bytes: Uint8Array, at: number, quoted: boolean): boolean {
  const mask = quoted ? FRAGMENT_OFFSET : FRAGMENT_OFFSET | MORE_FRAGMENTS;
  return (u16(bytes, at + 2) & mask) !== 0;
}
