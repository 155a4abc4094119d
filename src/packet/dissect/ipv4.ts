/**
 * IPv4 header (RFC 791 section 3.1).
 *
 *      0       1       2       3
 *     +---+---+-------+---------------+
 *     |ver|ihl|  tos  | total length  |  0
 *     |  identifier   |flg|fragm. off.|  4
 *     |  ttl  | proto |   checksum    |  8
 *     |        source address         | 12
 *     |      destination address      | 16
 *     +-------------------------------+  options up to 40 bytes
 *
 * Options are stepped over. The checksum is not verified: the kernel has done so before any hook.
 */
import { Reason } from "../../state/reason.js";
import { i32, room, Status, setAddress4, u16 } from "./bytes.js";
import { Field } from "./packet.js";

const TOTAL_LENGTH = 2;
const FRAGMENT = 6;
const NEXT = 9;
const SOURCE = 12;
const DESTINATION = 16;
const FIXED_BYTES = 20;

const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;

/** Status of a header whose fixed part can be read, options included. */
function checkIpv4(bytes: Uint8Array, at: number, limit: number, end: number): number {
  const size = headerBytes(bytes, at);
  return size < FIXED_BYTES ? Reason.MALFORMED : room(at, size, limit, end);
}

/** Header length in bytes, options included. */
export function headerBytes(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) & 0x0f) * 4;
}

/** Length of header and payload in bytes, as the packet states it. */
export function totalBytes(bytes: Uint8Array, at: number): number {
  return u16(bytes, at + TOTAL_LENGTH);
}

/** Whether this is any piece of a fragmented datagram, the first one included. */
export function isFragment(bytes: Uint8Array, at: number): boolean {
  return (u16(bytes, at + FRAGMENT) & (MORE_FRAGMENTS | FRAGMENT_OFFSET)) !== 0;
}

/** Whether this is a piece without the transport header. */
export function isLaterFragment(bytes: Uint8Array, at: number): boolean {
  return (u16(bytes, at + FRAGMENT) & FRAGMENT_OFFSET) !== 0;
}

/** Writes the network part of `packet`; a status other than `OK` leaves it half written. */
export function dissectIpv4(
  bytes: Uint8Array,
  at: number,
  end: number,
  packet: Int32Array,
): number {
  if (at + FIXED_BYTES > end) return Reason.TRUNCATED;
  const limit = at + totalBytes(bytes, at);
  const status = checkIpv4(bytes, at, limit, end);
  if (status !== Status.OK) return status;
  if (isFragment(bytes, at)) return Reason.FRAGMENT;
  writeNetwork(bytes, at, packet);
  packet[Field.LIMIT] = limit;
  return Status.OK;
}

/**
 * The same for a packet quoted by an ICMP error, which may be cut behind its first bytes: its total
 * length is not looked at (some stacks change it before they quote), the quote ends at `limit`. The
 * first piece of a fragmented datagram has the ports, so it will do here.
 */
export function dissectQuotedIpv4(
  bytes: Uint8Array,
  at: number,
  limit: number,
  end: number,
  packet: Int32Array,
): number {
  const fixed = room(at, FIXED_BYTES, limit, end);
  if (fixed !== Status.OK) return fixed;
  const status = checkIpv4(bytes, at, limit, end);
  if (status !== Status.OK) return status;
  if (isLaterFragment(bytes, at)) return Reason.FRAGMENT;
  writeNetwork(bytes, at, packet);
  packet[Field.LIMIT] = limit;
  return Status.OK;
}

function writeNetwork(bytes: Uint8Array, at: number, packet: Int32Array): void {
  packet[Field.FAMILY] = 4;
  packet[Field.PROTOCOL] = bytes[at + NEXT] as number;
  setAddress4(packet, Field.SRC, i32(bytes, at + SOURCE));
  setAddress4(packet, Field.DST, i32(bytes, at + DESTINATION));
  packet[Field.PAYLOAD] = at + headerBytes(bytes, at);
}
