/**
 * SCTP common header and the first chunk (RFC 9260 section 3).
 *
 *      0       1       2       3
 *     +---------------+---------------+
 *     |  source port  |   dest port   |  0
 *     |       verification tag        |  4
 *     |           checksum            |  8
 *     +-------+-------+---------------+
 *     | type  | flags | chunk length  | 12
 *     +-------------------------------+
 */
import { Reason } from "../../state/reason.js";
import { room, Status, u16 } from "./bytes.js";
import { Kind, setTransport } from "./packet.js";

const CHUNK_TYPE = 12;
const CHUNK_LENGTH = 14;
const HEADER_BYTES = 16;
const CHUNK_BYTES_MIN = 4;

const INIT = 1;
/** Opens a further path of a multi-homed association: to us a flow of its own. */
const HEARTBEAT = 4;

/**
 * Status of the common header and the head of the first chunk; a packet without a chunk is void.
 */
export function checkSctp(bytes: Uint8Array, at: number, limit: number, end: number): number {
  const status = room(at, HEADER_BYTES, limit, end);
  if (status !== Status.OK) return status;
  return u16(bytes, at + CHUNK_LENGTH) < CHUNK_BYTES_MIN ? Reason.MALFORMED : Status.OK;
}

/** Type of the first chunk; an INIT must be the only one, so it is always first. */
export function firstChunk(bytes: Uint8Array, at: number): number {
  return bytes[at + CHUNK_TYPE] as number;
}

/** Writes ports and class. */
export function dissectSctp(
  bytes: Uint8Array,
  at: number,
  limit: number,
  end: number,
  packet: Int32Array,
): number {
  const status = checkSctp(bytes, at, limit, end);
  if (status !== Status.OK) return status;
  const chunk = firstChunk(bytes, at);
  const kind = chunk === INIT || chunk === HEARTBEAT ? Kind.OPENS : Kind.FOLLOWS;
  setTransport(packet, kind, u16(bytes, at), u16(bytes, at + 2));
  return Status.OK;
}
