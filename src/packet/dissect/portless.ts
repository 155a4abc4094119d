/**
 * Protocols that we know by their addresses alone: GRE (RFC 2784), ESP (RFC 4303), AH over IPv4
 * (RFC 4302), and every protocol without a file of its own. All flows of such a protocol between
 * two hosts are one flow to us: keys and SPIs differ per direction, so they cannot name a
 * connection.
 */
import { NO_LIMIT, room } from "./bytes.js";
import { Kind, setTransport } from "./packet.js";
import { Protocol } from "./protocol.js";

const GRE_BYTES_MIN = 4;
const ESP_BYTES_MIN = 8;
const AH_BYTES_MIN = 12;

/** Status of the smallest header of `protocol`; protocols we do not know have none. */
export function checkPortless(protocol: number, at: number, limit: number, end: number): number {
  switch (protocol) {
    case Protocol.GRE:
      return room(at, GRE_BYTES_MIN, limit, end);
    case Protocol.ESP:
      return room(at, ESP_BYTES_MIN, limit, end);
    case Protocol.AH:
      return room(at, AH_BYTES_MIN, limit, end);
    default:
      return room(at, 0, limit, NO_LIMIT);
  }
}

/** Writes ports 0 and the class: any packet may be the first. */
export function dissectPortless(
  protocol: number,
  at: number,
  limit: number,
  end: number,
  packet: Int32Array,
): number {
  setTransport(packet, Kind.OPENS, 0, 0);
  return checkPortless(protocol, at, limit, end);
}
