/**
 * Buckets that a translated port names.
 *
 *     client 192.168.0.2:5000 --> 192.168.1.5:1030 (bucket 0) --> server
 *     server --> 192.168.1.5:1030          the reply: by its destination
 *     router --> error { 192.168.1.5:1030 --> server }: by the source it quotes
 *
 * The kernel names the bucket of every flow that it knows; this is for the rest. The hash is of no
 * use there: it was computed from the client's tuple, which a reply does not show. What can only
 * open a flow (a TCP SYN, an ICMP query) is no reply and stays with the hash. Of UDP nobody can
 * tell, so the port counts: a UDP service on a translated address wants a port outside of `ports`.
 */
import { addressBytes } from "../../config/address.js";
import { NO_SLICE, type PortRange, PortSlices } from "../../state/port-slices.js";
import { Field, Kind } from "../dissect/packet.js";
import { Protocol } from "../dissect/protocol.js";

/** An address that flows are translated to. */
export interface TranslatedAddress {
  readonly address: string;
  readonly ports: PortRange;
}

interface Pool {
  /** 4 or 6. */
  readonly family: number;
  /** As in a dissected packet. */
  readonly address: Int32Array;
  readonly slices: PortSlices;
}

const ADDRESS_WORDS = 4;

/** Built once per worker; `bucketOf` allocates nothing. */
export class TranslatedPorts {
  private readonly pools: readonly Pool[];

  constructor(translated: readonly TranslatedAddress[], buckets: number) {
    this.pools = translated.map(({ address, ports }) => ({
      family: address.includes(":") ? 6 : 4,
      address: wordsOf(address),
      slices: new PortSlices(ports, buckets),
    }));
  }

  /** The bucket of a dissected packet, or `NO_SLICE` where its ports name none. */
  bucketOf(packet: Int32Array): number {
    if (this.pools.length === 0 || isOpening(packet)) return NO_SLICE;
    const isQuote = packet[Field.CLASS] === Kind.QUOTES;
    const port = packet[isQuote ? Field.SRC_PORT : Field.DST_PORT] as number;
    const word = isQuote ? Field.SRC : Field.DST;
    for (let i = 0; i < this.pools.length; i++) {
      const pool = this.pools[i] as Pool;
      if (!isAddress(pool, packet, word)) continue;
      const bucket = pool.slices.bucketOf(port);
      if (bucket !== NO_SLICE) return bucket;
    }
    return NO_SLICE;
  }
}

/** Whether this opens a flow for sure. */
function isOpening(packet: Int32Array): boolean {
  const protocol = packet[Field.PROTOCOL] as number;
  return (
    packet[Field.CLASS] === Kind.OPENS &&
    protocol !== Protocol.UDP &&
    protocol !== Protocol.UDP_LITE
  );
}

function isAddress({ family, address }: Pool, packet: Int32Array, word: number): boolean {
  if (packet[Field.FAMILY] !== family) return false;
  for (let at = 0; at < ADDRESS_WORDS; at++) {
    if (packet[word + at] !== address[at]) return false;
  }
  return true;
}

function wordsOf(address: string): Int32Array {
  const bytes = Buffer.from(addressBytes(address));
  const words = new Int32Array(ADDRESS_WORDS);
  for (let at = 0; at < bytes.length; at += 4) words[at / 4] = bytes.readInt32BE(at);
  return words;
}
