/**
 * TCP header (RFC 9293 section 3.1).
 *
 *      0       1       2       3
 *     +---------------+---------------+
 *     |  source port  |   dest port   |  0
 *     |        sequence number        |  4
 *     |         acknowledgment        |  8
 *     |off|res| flags |    window     | 12
 *     |   checksum    |    urgent     | 16
 *     +-------------------------------+ 20: options up to 40 bytes
 */
import { Reason } from "../../state/reason.js";
import { room, Status, u16 } from "./bytes.js";
import { Kind, setTransport } from "./packet.js";

const DATA_OFFSET = 12;
const FLAGS = 13;
const FIXED_BYTES = 20;

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

/** Status of the fixed header, the data offset and the flags. Options need not be captured. */
export function checkTcp(bytes: Uint8Array, at: number, limit: number, end: number): number {
  const status = room(at, FIXED_BYTES, limit, end);
  if (status !== Status.OK) return status;
  const size = tcpHeaderBytes(bytes, at);
  if (size < FIXED_BYTES || at + size > limit) return Reason.MALFORMED;
  return isSane(tcpFlags(bytes, at)) ? Status.OK : Reason.MALFORMED;
}

/** Header length in bytes, options included. */
export function tcpHeaderBytes(bytes: Uint8Array, at: number): number {
  return ((bytes[at + DATA_OFFSET] as number) >> 4) * 4;
}

/** The low eight flags, FIN in bit 0. */
export function tcpFlags(bytes: Uint8Array, at: number): number {
  return bytes[at + FLAGS] as number;
}

/** Whether these flags ask for a connection: SYN and no ACK. */
export function isOpening(flags: number): boolean {
  return (flags & (SYN | ACK)) === SYN;
}

/**
 * Whether the flags fit together. The same combinations that the kernel's tracker refuses
 * (`tcp_valid_flags`): no flag at all, FIN without ACK, and SYN, RST and FIN with each other.
 */
export function isSane(flags: number): boolean {
  const ends = flags & (SYN | RST | FIN);
  if (ends === 0 || ends === FIN) return (flags & ACK) !== 0;
  return ends === SYN || ends === RST;
}

/** Writes ports and class. */
export function dissectTcp(
  bytes: Uint8Array,
  at: number,
  limit: number,
  end: number,
  packet: Int32Array,
): number {
  const status = checkTcp(bytes, at, limit, end);
  if (status !== Status.OK) return status;
  const kind = isOpening(tcpFlags(bytes, at)) ? Kind.OPENS : Kind.FOLLOWS;
  setTransport(packet, kind, u16(bytes, at), u16(bytes, at + 2));
  return Status.OK;
}
