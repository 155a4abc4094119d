/** Reading big-endian fields, and the one question every header asks first: is it all there? */
import { Reason } from "../../state/reason.js";

/** Status of a dissection that found nothing wrong; every other status is a drop `Reason`. */
export const enum Status {
  OK = 0,
}

/** Where nothing limits: above every index, and still a small integer to the compiler. */
export const NO_LIMIT = 2 ** 30 - 1;

/** Unsigned 16-bit field. */
export function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** 32-bit field as a signed number, the form in which an Int32Array holds it. */
export function i32(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) << 16) | u16(bytes, at + 2);
}

/** Writes an IPv4 address into the four words of one. */
export function setAddress4(packet: Int32Array, word: number, address: number): void {
  packet[word] = address;
  packet[word + 1] = 0;
  packet[word + 2] = 0;
  packet[word + 3] = 0;
}

/** Copies the four words of an IPv6 address. */
export function copyWords(bytes: Uint8Array, at: number, packet: Int32Array, word: number): void {
  packet[word] = i32(bytes, at);
  packet[word + 1] = i32(bytes, at + 4);
  packet[word + 2] = i32(bytes, at + 8);
  packet[word + 3] = i32(bytes, at + 12);
}

/**
 * Whether `size` bytes from `at` can be read.
 *
 * The two ends differ: `limit` is where the packet says it ends, `end` where our copy of it ends. A
 * header beyond the first is a lie (`malformed`), beyond the second alone it is our own short copy
 * (`truncated`), and the operator's remedy is another one.
 */
export function room(at: number, size: number, limit: number, end: number): number {
  if (at + size > limit) return Reason.MALFORMED;
  return at + size > end ? Reason.TRUNCATED : Status.OK;
}
