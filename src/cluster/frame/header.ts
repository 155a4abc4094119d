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
export const MAGIC = 0x5357414c; // "SWAL"
export const VERSION = 1;
export const HEADER_BYTES = 28;

const AT_VERSION = 4;
const AT_SENDER = 5;
const AT_LINK = 6;
const AT_CLUSTER = 8;
const AT_INCARNATION = 12;
const AT_COUNTER = 20;

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
  const view = viewOf(bytes);
  if (view.getUint32(0) !== MAGIC) return "badMagic";
  return view.getUint8(AT_VERSION) === VERSION ? null : "badVersion";
}

/** Reads a header in which `headerFault` found nothing wrong. */
export function readHeader(bytes: Uint8Array): Header {
  const view = viewOf(bytes);
  return {
    sender: view.getUint8(AT_SENDER),
    link: view.getUint8(AT_LINK),
    cluster: view.getUint32(AT_CLUSTER),
    incarnation: view.getBigUint64(AT_INCARNATION),
    // Above 2^53 the number is not exact, and beyond the limit the replay window knows.
    counter: Number(view.getBigUint64(AT_COUNTER)),
  };
}

export function encodeHeader(header: Header): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, MAGIC);
  view.setUint8(AT_VERSION, VERSION);
  view.setUint8(AT_SENDER, header.sender);
  view.setUint8(AT_LINK, header.link);
  view.setUint32(AT_CLUSTER, header.cluster);
  view.setBigUint64(AT_INCARNATION, header.incarnation);
  view.setBigUint64(AT_COUNTER, BigInt(header.counter));
  return bytes;
}

/** A DataView of exactly `bytes`, wherever they lie in their buffer. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
