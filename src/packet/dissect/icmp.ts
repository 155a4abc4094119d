/**
 * ICMP (RFC 792, RFC 950 for the address mask).
 *
 *      0       1       2       3
 *     +-------+-------+---------------+
 *     | type  | code  |   checksum    |  0
 *     |      id       |   sequence    |  4: queries; unused or a parameter in errors
 *     +-------------------------------+  8: the packet an error is about
 *
 * A query and its reply carry the same id, which stands in for both ports: sorted, the two
 * directions give one tuple.
 */
import { room, Status, u16 } from "./bytes.js";
import { Field, Kind, setTransport } from "./packet.js";

const ID = 4;
export const ICMP_HEADER_BYTES = 8;

const ECHO_REPLY = 0;
const UNREACHABLE = 3;
const SOURCE_QUENCH = 4;
const REDIRECT = 5;
const ECHO = 8;
const TIME_EXCEEDED = 11;
const PARAMETER_PROBLEM = 12;
const TIMESTAMP = 13;
const TIMESTAMP_REPLY = 14;
const INFORMATION = 15;
const INFORMATION_REPLY = 16;
const ADDRESS_MASK = 17;
const ADDRESS_MASK_REPLY = 18;

/** Status of the header; all types in use have eight bytes. */
export function checkIcmp(at: number, limit: number, end: number): number {
  return room(at, ICMP_HEADER_BYTES, limit, end);
}

/** Whether this type reports an error about another packet and quotes it. */
export function isIcmpError(type: number): boolean {
  switch (type) {
    case UNREACHABLE:
    case SOURCE_QUENCH:
    case REDIRECT:
    case TIME_EXCEEDED:
    case PARAMETER_PROBLEM:
      return true;
    default:
      return false;
  }
}

/**
 * Writes ports and class; for an error only the class, and `PAYLOAD` moves to the quoted packet.
 */
export function dissectIcmp(
  bytes: Uint8Array,
  at: number,
  limit: number,
  end: number,
  packet: Int32Array,
): number {
  const status = checkIcmp(at, limit, end);
  if (status !== Status.OK) return status;
  const type = bytes[at] as number;
  if (isIcmpError(type)) {
    setTransport(packet, Kind.QUOTES, 0, 0);
    packet[Field.PAYLOAD] = at + ICMP_HEADER_BYTES;
  } else {
    const id = icmpId(bytes, at);
    setTransport(packet, isReply(type) ? Kind.FOLLOWS : Kind.OPENS, id, id);
  }
  return Status.OK;
}

/** Id of a query or its reply, 0 for types that have none. */
export function icmpId(bytes: Uint8Array, at: number): number {
  const type = bytes[at] as number;
  return isQuery(type) || isReply(type) ? u16(bytes, at + ID) : 0;
}

function isQuery(type: number): boolean {
  return type === ECHO || type === TIMESTAMP || type === INFORMATION || type === ADDRESS_MASK;
}

function isReply(type: number): boolean {
  switch (type) {
    case ECHO_REPLY:
    case TIMESTAMP_REPLY:
    case INFORMATION_REPLY:
    case ADDRESS_MASK_REPLY:
      return true;
    default:
      return false;
  }
}
