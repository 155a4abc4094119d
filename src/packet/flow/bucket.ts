/**
 * The bucket of a dissected packet.
 *
 *     mode        hashed words                                    start value
 *     tuple       both endpoints, the lower first, as below       seed + protocol
 *     source      the 1 or 4 words of the source address          seed
 *     xt-cluster  the first 4 bytes of the source address, read   seed
 *                 as a little-endian number
 *
 * `tuple` sorts the endpoints (address as an unsigned number, then port), so both directions of a
 * connection give one bucket: `lower address, upper address, lower's port << 16 | upper's port`.
 *
 * `source` and `xt-cluster` hash the opener of a connection, so they are asked for the first packet
 * of a flow only; later packets get their bucket from the flow.
 *
 * `xt-cluster` is the kernel's `cluster` match (net/netfilter/xt_cluster.c) on a little-endian
 * machine. It also has its weakness: it counts IPv6 addresses in words but hashes as if one were
 * all there is, so a whole /32 lands on one node.
 */
import type { HashMode } from "../../config/types.js";
import { Field } from "../dissect/packet.js";
import { jhash1, jhash3, jhashWords } from "./jhash.js";

export interface BucketSettings {
  readonly mode: HashMode;
  /** uint32 */
  readonly seed: number;
  /** Number of buckets, 1 to 65536; `--cluster-total-nodes` in mode xt-cluster. */
  readonly buckets: number;
}

const HASH_VALUES = 2 ** 32;
const ADDRESS_WORDS = 4;
const TUPLE_WORDS = 2 * ADDRESS_WORDS + 1;

const TUPLE = 0;
const SOURCE = 1;
const XT_CLUSTER = 2;
const MODES: Readonly<Record<HashMode, number>> = {
  tuple: TUPLE,
  source: SOURCE,
  "xt-cluster": XT_CLUSTER,
};

/** Built once per worker; `hash` and `bucketOf` allocate nothing. */
export class BucketHash {
  readonly buckets: number;
  /** Whether both directions of a flow hash alike, so that any packet of it names its bucket. */
  readonly symmetric: boolean;
  /** Buckets to a value of the hash. */
  private readonly perValue: number;
  private readonly mode: number;
  private readonly seed: number;
  private readonly words = new Int32Array(TUPLE_WORDS);

  constructor(settings: BucketSettings) {
    this.buckets = settings.buckets;
    this.perValue = settings.buckets / HASH_VALUES;
    this.symmetric = settings.mode === "tuple";
    this.mode = MODES[settings.mode];
    this.seed = settings.seed | 0;
  }

  /** uint32 of a dissected packet. */
  hash(packet: Int32Array): number {
    const short = packet[Field.FAMILY] === 4;
    if (this.mode === TUPLE) return short ? this.tuple4(packet) : this.tuple6(packet);
    if (this.mode === XT_CLUSTER) return jhash1(swapBytes(packet[Field.SRC] as number), this.seed);
    return short ? jhash1(packet[Field.SRC] as number, this.seed) : this.source6(packet);
  }

  /**
   * Bucket of a hash: ranges of buckets are ranges of hash values. Exact: the product has 48 bits.
   */
  bucketOf(hash32: number): number {
    return (hash32 * this.perValue) | 0;
  }

  private tuple4(packet: Int32Array): number {
    const src = packet[Field.SRC] as number;
    const dst = packet[Field.DST] as number;
    const initval = this.seed + (packet[Field.PROTOCOL] as number);
    return sourceIsLower(packet)
      ? jhash3(src, dst, joinPorts(packet, Field.SRC_PORT, Field.DST_PORT), initval)
      : jhash3(dst, src, joinPorts(packet, Field.DST_PORT, Field.SRC_PORT), initval);
  }

  private tuple6(packet: Int32Array): number {
    const lower = sourceIsLower(packet);
    this.copyAddress(packet, lower ? Field.SRC : Field.DST, 0);
    this.copyAddress(packet, lower ? Field.DST : Field.SRC, ADDRESS_WORDS);
    this.words[2 * ADDRESS_WORDS] = lower
      ? joinPorts(packet, Field.SRC_PORT, Field.DST_PORT)
      : joinPorts(packet, Field.DST_PORT, Field.SRC_PORT);
    return jhashWords(this.words, TUPLE_WORDS, this.seed + (packet[Field.PROTOCOL] as number));
  }

  private source6(packet: Int32Array): number {
    this.copyAddress(packet, Field.SRC, 0);
    return jhashWords(this.words, ADDRESS_WORDS, this.seed);
  }

  private copyAddress(packet: Int32Array, from: number, to: number): void {
    for (let word = 0; word < ADDRESS_WORDS; word++) {
      this.words[to + word] = packet[from + word] as number;
    }
  }
}

/** Whether the source endpoint sorts before the destination; equal endpoints count as sorted. */
export function sourceIsLower(packet: Int32Array): boolean {
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    const src = (packet[Field.SRC + word] as number) >>> 0;
    const dst = (packet[Field.DST + word] as number) >>> 0;
    if (src !== dst) return src < dst;
  }
  return (packet[Field.SRC_PORT] as number) <= (packet[Field.DST_PORT] as number);
}

function joinPorts(packet: Int32Array, high: number, low: number): number {
  return ((packet[high] as number) << 16) | (packet[low] as number);
}

/** The same four bytes read in the other byte order. */
function swapBytes(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}
