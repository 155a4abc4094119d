/**
 * A dissected packet: one preallocated Int32Array per worker that every packet overwrites, since an
 * object per packet would be garbage per packet. The constants are its word offsets.
 *
 * Addresses and ports are numbers of the big-endian field ("host order"), addresses as signed
 * 32-bit words because that is what an Int32Array holds. An IPv4 address fills the first of its
 * four words, the others are 0.
 */

/** 4 or 6. */
export const FAMILY = 0;
/** IANA protocol number behind the last extension header. */
export const PROTOCOL = 1;
/** One of the `OPENS`, `FOLLOWS`, `QUOTES` below. */
export const CLASS = 2;
/** Port, or the id of an ICMP query in both port words, or 0 where the protocol has neither. */
export const SRC_PORT = 3;
export const DST_PORT = 4;
/** First of four words. */
export const SRC = 5;
/** First of four words. */
export const DST = 9;
/**
 * Where the header behind the IP header starts: an index into the bytes, not an offset in the
 * packet.
 */
export const PAYLOAD = 13;
/** Where the packet ends after its own length field; may lie beyond the captured bytes. */
export const LIMIT = 14;
export const PACKET_WORDS = 16;

/** Class: may be the first packet of a flow (TCP SYN, any UDP, an ICMP query...). */
export const OPENS = 1;
/** Class: only makes sense in a flow that exists (TCP but SYN, ICMP reply...). */
export const FOLLOWS = 2;
/** Class: an ICMP error; the tuple is that of the packet it quotes, as quoted. */
export const QUOTES = 3;

/** Room for one dissected packet. */
export function newPacket(): Int32Array {
  return new Int32Array(PACKET_WORDS);
}

/** Writes what the transport header said. */
export function setTransport(packet: Int32Array, kind: number, src: number, dst: number): void {
  packet[CLASS] = kind;
  packet[SRC_PORT] = src;
  packet[DST_PORT] = dst;
}
