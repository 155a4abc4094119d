/**
 * A dissected packet: one preallocated Int32Array per worker that every packet overwrites, since an
 * object per packet would be garbage per packet. {@link Field} has its word offsets.
 *
 * Addresses and ports are numbers of the big-endian field ("host order"), addresses as signed
 * 32-bit words because that is what an Int32Array holds. An IPv4 address fills the first of its
 * four words, the others are 0.
 */

export const enum Field {
  /** 4 or 6. */
  FAMILY = 0,
  /** IANA protocol number behind the last extension header. */
  PROTOCOL = 1,
  /** One of {@link Kind}. */
  CLASS = 2,
  /** Port, or the id of an ICMP query in both port words, or 0 where the protocol has neither. */
  SRC_PORT = 3,
  DST_PORT = 4,
  /** First of four words. */
  SRC = 5,
  /** First of four words. */
  DST = 9,
  /**
   * Where the header behind the IP header starts: an index into the bytes, not an offset in the
   * packet.
   */
  PAYLOAD = 13,
  /** Where the packet ends after its own length field; may lie beyond the captured bytes. */
  LIMIT = 14,
  WORDS = 16,
}

/** What a packet can be to its flow. */
export const enum Kind {
  /** May be the first packet (TCP SYN, any UDP, an ICMP query...). */
  OPENS = 1,
  /** Only makes sense in a flow that exists (TCP but SYN, ICMP reply...). */
  FOLLOWS = 2,
  /** An ICMP error; the tuple is that of the packet it quotes, as quoted. */
  QUOTES = 3,
}

/** Room for one dissected packet. */
export function newPacket(): Int32Array {
  return new Int32Array(Field.WORDS);
}

/** Writes what the transport header said. */
export function setTransport(packet: Int32Array, kind: number, src: number, dst: number): void {
  packet[Field.CLASS] = kind;
  packet[Field.SRC_PORT] = src;
  packet[Field.DST_PORT] = dst;
}
