/**
 * The start that NAK, RESYNC, START and REPAIR have in common. Every message reaches every node;
 * the address says who is meant.
 *
 *      0    kind         u8
 *      1    node         u8      the addressee, 1..255
 *      2    count        u16     how many parts follow, where parts follow; else 0
 *      4    incarnation  u64     of the addressee: a successor of the same id is not meant
 */
import type { Member } from "../membership/view.js";
import { setU16, setU64, u16, u64 } from "./bytes.js";

const AT_NODE = 1;
const AT_COUNT = 2;
const AT_INCARNATION = 4;
export const ADDRESS_BYTES = 12;

/** Whether `bytes` are of this kind, addressed, and have exactly `count` parts of `partBytes`. */
export function isAddressed(bytes: Uint8Array, kind: number, partBytes: number): boolean {
  if (bytes.length < ADDRESS_BYTES || bytes[0] !== kind || bytes[AT_NODE] === 0) return false;
  return bytes.length === ADDRESS_BYTES + partCount(bytes) * partBytes;
}

export function partCount(bytes: Uint8Array): number {
  return u16(bytes, AT_COUNT);
}

/** The addressee of a body that `isAddressed` found to be one. */
export function addressee(bytes: Uint8Array): Member {
  return { node: bytes[AT_NODE], incarnation: u64(bytes, AT_INCARNATION) };
}

/** A body with its address and room for `count` parts of `partBytes`. */
export function newAddressed(
  kind: number,
  to: Member,
  count: number,
  partBytes: number,
): Uint8Array {
  const bytes = new Uint8Array(ADDRESS_BYTES + count * partBytes);
  bytes[0] = kind;
  bytes[AT_NODE] = to.node;
  setU16(bytes, AT_COUNT, count);
  setU64(bytes, AT_INCARNATION, to.incarnation);
  return bytes;
}
