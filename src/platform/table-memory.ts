/**
 * Memory for a table that is read all over the place.
 *
 * An ordinary SharedArrayBuffer starts in the middle of a cache line, so what was laid out to take
 * one line takes two; and each read is of another page, whose address the processor has to look up.
 */
import { native } from "./native.js";

/** Bytes of a huge page. */
const HUGE_PAGE_BYTES = 2 ** 21;

/** A part of shared memory, plain enough to cross to a thread. */
export interface TableMemory {
  readonly buffer: SharedArrayBuffer;
  /** Offset in bytes; on a border of cache lines, or a table is slower than it could be. */
  readonly at: number;
}

/** Zeroed memory of `bytes`, on huge pages where the kernel has them. */
export function tableMemory(bytes: number): TableMemory {
  const buffer = new SharedArrayBuffer(bytes + HUGE_PAGE_BYTES);
  return { buffer, at: native.alignTable(new Uint8Array(buffer)) };
}
