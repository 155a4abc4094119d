/**
 * Big-endian fields of frames, byte by byte. Most frames are small arrays, which V8 keeps in its
 * own heap until somebody asks for a DataView: that moves them out, and cost twenty times as much
 * as the bytes.
 */

/** One 64-bit field on its way into a bigint, or out of it. */
const field = new DataView(new ArrayBuffer(8));
const WORD = 2 ** 32;

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

export function u32(bytes: Uint8Array, at: number): number {
  return ((u16(bytes, at) << 16) | u16(bytes, at + 2)) >>> 0;
}

export function u64(bytes: Uint8Array, at: number): bigint {
  field.setUint32(0, u32(bytes, at));
  field.setUint32(4, u32(bytes, at + 4));
  return field.getBigUint64(0);
}

/** A 64-bit field as a number, exact below 2^53. */
export function number64(bytes: Uint8Array, at: number): number {
  return u32(bytes, at) * WORD + u32(bytes, at + 4);
}

export function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function setU32(bytes: Uint8Array, at: number, value: number): void {
  setU16(bytes, at, value >>> 16);
  setU16(bytes, at + 2, value);
}

export function setU64(bytes: Uint8Array, at: number, value: bigint): void {
  field.setBigUint64(0, value);
  setU32(bytes, at, field.getUint32(0));
  setU32(bytes, at + 4, field.getUint32(4));
}

/** @param value a whole number below 2^53 */
export function setNumber64(bytes: Uint8Array, at: number, value: number): void {
  setU32(bytes, at, Math.floor(value / WORD));
  setU32(bytes, at + 4, value);
}
