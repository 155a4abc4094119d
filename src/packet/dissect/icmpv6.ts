/**
 * ICMPv6 (RFC 4443). Same eight bytes as ICMP; the types below 128 are the errors.
 *
 *      0       1       2       3
 *     +-------+-------+---------------+
 *     | type  | code  |   checksum    |  0
 *     |      id       |   sequence    |  4: echo; unused or a parameter in errors
 *     +-------------------------------+  8: the packet an error is about
 *
 * Neighbour discovery has no id: its tuple is the two addresses.
 */
import { room, Status, u16 } from "./bytes.js";
import { Field, Kind, setTransport } from "./packet.js";

const ID = 4;
const HEADER_BYTES = 8;

const FIRST_INFORMATIONAL = 128;
const ECHO = 128;
const ECHO_REPLY = 129;

/** Status of the header. */
export function checkIcmpv6(at: number, limit: number, end: number): number {
  return room(at, HEADER_BYTES, limit, end);
}

/** Whether this type reports an error about another packet and quotes it. */
export function isIcmpv6Error(type: number): boolean {
  return type < FIRST_INFORMATIONAL;
}

/**
 * Writes ports and class; for an error only the class, and `PAYLOAD` moves to the quoted packet.
 */
export function dissectIcmpv6(
  bytes: Uint8Array,
  at: number,
  limit: number,
  end: number,
  packet: Int32Array,
): number {
  const status = checkIcmpv6(at, limit, end);
  if (status !== Status.OK) return status;
  const type = bytes[at] as number;
  if (isIcmpv6Error(type)) {
    setTransport(packet, Kind.QUOTES, 0, 0);
    packet[Field.PAYLOAD] = at + HEADER_BYTES;
  } else {
    const id = icmpv6Id(bytes, at);
    setTransport(packet, type === ECHO_REPLY ? Kind.FOLLOWS : Kind.OPENS, id, id);
  }
  return Status.OK;
}

/** Id of an echo request or reply, 0 for other types. */
export function icmpv6Id(bytes: Uint8Array, at: number): number {
  const type = bytes[at] as number;
  return type === ECHO || type === ECHO_REPLY ? u16(bytes, at + ID) : 0;
}
