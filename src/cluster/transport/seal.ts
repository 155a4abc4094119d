/**
 * AES-256-GCM over a whole datagram: the header is authenticated, the body is encrypted too.
 *
 * A random nonce of 96 bits would allow 2^32 datagrams per key. Here each incarnation of each
 * sender has its own key, and the nonce is link | counter, which the sender never repeats within
 * one incarnation; so no nonce is used twice with a key, without anything kept on disk.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync } from "node:crypto";
import { setU64 } from "../frame/bytes.js";
import { AT_COUNTER, AT_LINK, HEADER_BYTES } from "../frame/header.js";

const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
export const TAG_BYTES = 16;

/** What protects datagrams: this file's functions, or in a simulation something cheaper. */
export interface Sealing {
  deriveKey(
    secret: Uint8Array,
    clusterName: string,
    sender: number,
    incarnation: bigint,
  ): Uint8Array;
  seal(key: Uint8Array, header: Uint8Array, body: Uint8Array): Uint8Array;
  unseal(key: Uint8Array, bytes: Uint8Array): Uint8Array | null;
}

/** The 32 bits of a header that tell clusters on one link apart. Not a secret, not a protection. */
export function clusterIdOf(name: string): number {
  return createHash("sha256").update(name).digest().readUInt32BE(0);
}

/** HKDF-SHA256 (RFC 5869) of the cluster's secret for one incarnation of one sender. */
export function deriveKey(
  secret: Uint8Array,
  clusterName: string,
  sender: number,
  incarnation: bigint,
): Uint8Array {
  const info = new Uint8Array(9);
  info[0] = sender;
  setU64(info, 1, incarnation);
  return new Uint8Array(hkdfSync("sha256", secret, `shardwall${clusterName}`, info, KEY_BYTES));
}

/** The datagram: `header` as it is, `body` encrypted, and the tag. */
export function seal(key: Uint8Array, header: Uint8Array, body: Uint8Array): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, nonceOf(header));
  cipher.setAAD(header);
  const encrypted = cipher.update(body);
  cipher.final();
  // Not a Buffer: its slice() shares memory, where the type promises a copy.
  const bytes = new Uint8Array(HEADER_BYTES + encrypted.length + TAG_BYTES);
  bytes.set(header);
  bytes.set(encrypted, HEADER_BYTES);
  bytes.set(cipher.getAuthTag(), HEADER_BYTES + encrypted.length);
  return bytes;
}

/** The body of an authentic datagram, or null. `bytes` hold at least a header and a tag. */
export function unseal(key: Uint8Array, bytes: Uint8Array): Uint8Array | null {
  const header = bytes.subarray(0, HEADER_BYTES);
  const tagAt = bytes.length - TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, key, nonceOf(header), { authTagLength: TAG_BYTES });
  decipher.setAAD(header);
  decipher.setAuthTag(bytes.subarray(tagAt));
  const body = decipher.update(bytes.subarray(HEADER_BYTES, tagAt));
  try {
    decipher.final();
    return body;
  } catch {
    return null; // the only thing final() can say: not authentic
  }
}

function nonceOf(header: Uint8Array): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES);
  nonce[3] = header[AT_LINK];
  nonce.set(header.subarray(AT_COUNTER, HEADER_BYTES), 4);
  return nonce;
}

export const AES_GCM: Sealing = { deriveKey, seal, unseal };
