/**
 * DCCP generic header (RFC 4340 section 5.1), 12 bytes with short sequence numbers and 16 with
 * long.
 *
 *      0       1       2       3
 *     +---------------+---------------+
 *     |  source port  |   dest port   |  0
 *     |offset |ccv|cov|   checksum    |  4
 *     |res|type|X| ...  sequence number  8
 *     +-------------------------------+
 */
import { Reason } from "../../state/reason.js";
import { room, Status, u16 } from "./bytes.js";
import { Kind, setTransport } from "./packet.js";

const DATA_OFFSET = 4;
const TYPE = 8;
const HEADER_BYTES = 12;
const LONG_HEADER_BYTES = 16;

const REQUEST = 0;

/** Status of the generic header and its data offset. Options need not be captured. */
export function checkDccp(bytes: Uint8Array, at: number, limit: number, end: number): number {
  const status = room(at, HEADER_BYTES, limit, end);
  if (status !== Status.OK) return status;
  const size = (bytes[at + DATA_OFFSET] as number) * 4;
  const least = isLong(bytes, at) ? LONG_HEADER_BYTES : HEADER_BYTES;
  return size < least || at + size > limit ? Reason.MALFORMED : Status.OK;
}

/** Whether the header has 48-bit sequence numbers. */
export function isLong(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at + TYPE] as number) & 1) === 1;
}

/** Packet type, 0 (Request) to 15. */
export function dccpType(bytes: Uint8Array, at: number): number {
  return ((bytes[at + TYPE] as number) >> 1) & 0x0f;
}

/** Writes ports and class. */
export function dissectDccp(
  bytes: Uint8Array,
  at: number,
  limit: number,
  end: number,
  packet: Int32Array,
): number {
  const status = checkDccp(bytes, at, limit, end);
  if (status !== Status.OK) return status;
  const kind = dccpType(bytes, at) === REQUEST ? Kind.OPENS : Kind.FOLLOWS;
  setTransport(packet, kind, u16(bytes, at), u16(bytes, at + 2));
  return Status.OK;
}
