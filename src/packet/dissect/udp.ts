/**
 * UDP (RFC 768) and UDP-Lite (RFC 3828), which puts a checksum coverage where UDP has a length.
 *
 *      0       1       2       3
 *     +---------------+---------------+
 *     |  source port  |   dest port   |  0
 *     |length/coverage|   checksum    |  4
 *     +-------------------------------+
 */
import { Reason } from "../../state/reason.js";
import { room, Status, u16 } from "./bytes.js";
import { Kind, setTransport } from "./packet.js";

const LENGTH = 4;
const HEADER_BYTES = 8;
/** Coverage of the whole datagram (RFC 3828 section 3.1). */
const COVERS_ALL = 0;

/** Status of the header and its length, which may be shorter than the IP payload but not longer. */
export function checkUdp(bytes: Uint8Array, at: number, limit: number, end: number): number {
  const status = room(at, HEADER_BYTES, limit, end);
  if (status !== Status.OK) return status;
  return fits(u16(bytes, at + LENGTH), at, limit) ? Status.OK : Reason.MALFORMED;
}

/** Status of the header and its coverage. */
export function checkUdpLite(bytes: Uint8Array, at: number, limit: number, end: number): number {
  const status = room(at, HEADER_BYTES, limit, end);
  if (status !== Status.OK) return status;
  const coverage = u16(bytes, at + LENGTH);
  return coverage === COVERS_ALL || fits(coverage, at, limit) ? Status.OK : Reason.MALFORMED;
}

function fits(length: number, at: number, limit: number): boolean {
  return length >= HEADER_BYTES && at + length <= limit;
}

/** Writes ports and class; any datagram may be the first of a flow. */
export function dissectUdp(
  bytes: Uint8Array,
  at: number,
  limit: number,
  end: number,
  packet: Int32Array,
): number {
  const status = checkUdp(bytes, at, limit, end);
  if (status === Status.OK) setTransport(packet, Kind.OPENS, u16(bytes, at), u16(bytes, at + 2));
  return status;
}

/** The same for UDP-Lite. */
export function dissectUdpLite(
  bytes: Uint8Array,
  at: number,
  limit: number,
  end: number,
  packet: Int32Array,
): number {
  const status = checkUdpLite(bytes, at, limit, end);
  if (status === Status.OK) setTransport(packet, Kind.OPENS, u16(bytes, at), u16(bytes, at + 2));
  return status;
}
