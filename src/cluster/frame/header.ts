/**
 * The clear, authenticated header of every datagram. All numbers are big-endian.
 *
 *      0        4       5        6      7       8             12               20            28
 *      | magic  | vers. | sender | link | 0     | cluster id  | incarnation    | counter     | body
 *        u32      u8      u8       u8     u8      u32           u64              u64
 *
 * `sender` and `incarnation` choose the key, `link` and `counter` are the nonce. Nothing behind the
 * header is looked at before the whole datagram has proven authentic.
 */
import { number64, setNumber64, setU32, setU64, u32, u64 } from "./bytes.js";

export const MAGIC = 0x5357414c; // "SWAL"
export const VERSION = 1;
export const HEADER_BYTES = 28;

const AT_VERSION = 4;
const AT_SENDER = 5;
export const AT_LINK = 6;
const AT_CLUSTER = 8;
const AT_INCARNATION = 12;
export const AT_COUNTER = 20;

export interface Header {
  /** Node id, 1..255. */
  readonly sender: number;
  /** Index of the link in the sender's configuration. */
  readonly link: number;
  /** First 32 bits of a hash of the cluster's name. */
  readonly cluster: number;
  /** Random 64 bits, chosen by the sender at each start. */
  readonly incarnation: bigint;
  /** Datagrams sent before on this link in this incarnation. */
  readonly counter: number;
}

export type HeaderFault = "tooShort" | "badMagic" | "badVersion";

/** What forbids reading a header at the start of `bytes`, or null. */
export function headerFault(bytes: Uint8Array): HeaderFault | null {
  if (bytes.length < HEADER_BYTES) return "tooShort";
  if (u32(bytes, 0) !== MAGIC) return "badMagic";
  return bytes[AT_VERSION] === VERSION ? null : "badVersion";
}

/** Reads a header in which `headerFault` found nothing wrong. */
export function readHeader(bytes: Uint8Array): Header {
  return {
    sender: bytes[AT_SENDER],
    link: bytes[AT_LINK],
    cluster: u32(bytes, AT_CLUSTER),
    incarnation: u64(bytes, AT_INCARNATION),
    // Above 2^53 the number is not exact, and beyond the limit the replay window knows.
    counter: number64(bytes, AT_COUNTER),
  };
}

export function encodeHeader(header: Header): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  setU32(bytes, 0, MAGIC);
  bytes[AT_VERSION] = VERSION;
  bytes[AT_SENDER] = header.sender;
  bytes[AT_LINK] = header.link;
  setU32(bytes, AT_CLUSTER, header.cluster);
  setU64(bytes, AT_INCARNATION, header.incarnation);
  setNumber64(bytes, AT_COUNTER, header.counter);
  return bytes;
}
