/**
 * A keyed seal that costs a hundredth of AES-GCM, for most seeds: the body stays readable, the tag
 * is a keyed sum (murmur3's mixing). It stops what the simulator's attackers and bit flips can do,
 * and nobody else. Lengths are those of the real one, so a run is the same with either.
 */
import { setU32, setU64, u32 } from "../../src/cluster/frame/bytes.js";
import { HEADER_BYTES } from "../../src/cluster/frame/header.js";
import { type Sealing, TAG_BYTES } from "../../src/cluster/transport/seal.js";

const MIX = 0xcc9e2d51;
const WORD_BYTES = 4;
/** Datagrams share blocks: V8 takes a microsecond for an array that does not fit into its heap. */
const BLOCK_BYTES = 65_536;

let block = new Uint8Array(BLOCK_BYTES);
let used = 0;

function take(length: number): Uint8Array {
  if (used + length > BLOCK_BYTES) {
    block = new Uint8Array(BLOCK_BYTES);
    used = 0;
  }
  used += length;
  return block.subarray(used - length, used);
}

function mix(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ value, MIX);
  return Math.imul(mixed ^ (mixed >>> 15), 0x1b873593);
}

function sumOf(key: Uint8Array, bytes: Uint8Array, end: number): number {
  let hash = mix(0x2f6e2b1, end);
  for (let at = 0; at < key.length; at += WORD_BYTES) hash = mix(hash, u32(key, at));
  let at = 0;
  for (; at + WORD_BYTES <= end; at += WORD_BYTES) hash = mix(hash, u32(bytes, at));
  for (; at < end; at++) hash = mix(hash, bytes[at]);
  return hash >>> 0;
}

export const CHEAP_SEAL: Sealing = {
  deriveKey(secret, _clusterName, sender, incarnation) {
    const key = new Uint8Array(16);
    setU64(key, 0, incarnation);
    key[8] = sender;
    key[9] = secret[0];
    return key;
  },

  seal(key, header, body) {
    const end = HEADER_BYTES + body.length;
    const bytes = take(end + TAG_BYTES);
    bytes.set(header);
    bytes.set(body, HEADER_BYTES);
    const sum = sumOf(key, bytes, end);
    for (let at = end; at < bytes.length; at += WORD_BYTES) setU32(bytes, at, sum);
    return bytes;
  },

  /** The body shares the memory of the datagram, which nobody changes. */
  unseal(key, bytes) {
    const end = bytes.length - TAG_BYTES;
    const sum = sumOf(key, bytes, end);
    for (let at = end; at < bytes.length; at += WORD_BYTES) if (u32(bytes, at) !== sum) return null;
    return bytes.subarray(HEADER_BYTES, end);
  },
};
