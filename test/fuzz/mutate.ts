/**
 * Mutations of an input in place: what breaks parsers is rarely noise, mostly a length, a count or
 * an offset that is a little or extremely wrong, a piece that is missing, and a piece that comes
 * twice. Nothing is allocated.
 */
import type { Random } from "./random.js";

/** Edges of signed and unsigned numbers, and of the sizes of headers. */
const BYTES = [0, 1, 2, 4, 7, 8, 15, 16, 19, 20, 40, 63, 64, 127, 128, 192, 254, 255] as const;
const WORDS = [
  0, 1, 4, 8, 20, 40, 0x7f, 0x80, 0xff, 0x100, 0x578, 0x5dc, 0x1fff, 0x2000, 0x7fff, 0x8000, 0xfff8,
  0xfffe, 0xffff,
] as const;
const LONGS = [
  0, 1, 16, 0x7fff, 0xffff, 0x10000, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffff0,
  0xfffffffd, 0xfffffffe, 0xffffffff,
] as const;

const ADD_MAX = 35;
const RUN_MAX = 64;
const STACKED_MAX = 5;
const KINDS = 13;

/**
 * Mutates the first `length` bytes a few times.
 * @param bytes all of it may be used
 * @param other another input, of which pieces are taken
 * @returns the new length
 */
export function mutate(
  bytes: Uint8Array,
  length: number,
  other: Uint8Array,
  random: Random,
): number {
  let size = length;
  for (let left = 1 + random.below(STACKED_MAX); left > 0; left--) {
    size = once(bytes, size, other, random);
  }
  return size;
}

function once(bytes: Uint8Array, length: number, other: Uint8Array, random: Random): number {
  const kind = random.below(KINDS);
  if (kind >= 8 || length === 0) return resize(kind, bytes, length, other, random);
  const at = random.below(length);
  switch (kind) {
    case 0:
    case 1:
      bytes[at] ^= 1 << random.below(8);
      break;
    case 2:
      bytes[at] = random.word();
      break;
    case 3:
      bytes[at] = BYTES[random.below(BYTES.length)] as number;
      break;
    case 4:
      bytes[at] += random.below(2 * ADD_MAX + 1) - ADD_MAX;
      break;
    case 5:
      put(bytes, at, length, WORDS[random.below(WORDS.length)] as number, 2, random);
      break;
    case 6:
      put(bytes, at, length, LONGS[random.below(LONGS.length)] as number, 4, random);
      break;
    case 7:
      put(bytes, at, length, length - at + random.below(17) - 8, 2, random);
  }
  return length;
}

/** Writes a number of `size` bytes, mostly big-endian, as far as there is room. */
function put(
  bytes: Uint8Array,
  at: number,
  length: number,
  value: number,
  size: number,
  random: Random,
): void {
  const isLittle = random.below(4) === 0;
  for (let index = 0; index < size && at + index < length; index++) {
    const shift = 8 * (isLittle ? index : size - 1 - index);
    bytes[at + index] = value >>> shift;
  }
}

function resize(
  kind: number,
  bytes: Uint8Array,
  length: number,
  other: Uint8Array,
  random: Random,
): number {
  const run = 1 + random.below(RUN_MAX);
  const at = random.below(length + 1);
  switch (kind) {
    case 8:
      return at; // cut
    case 9: {
      const end = Math.min(length, at + run);
      bytes.copyWithin(at, end, length);
      return length - (end - at);
    }
    case 10:
      return insert(bytes, length, at, Math.min(run, bytes.length - length));
    case 11:
      return overwrite(bytes, length, at, run, other, random);
    default: {
      const end = Math.min(bytes.length, length + run);
      for (let index = length; index < end; index++) bytes[index] = random.word();
      return end;
    }
  }
}

/** Makes room for `run` bytes at `at`; they repeat what followed. */
function insert(bytes: Uint8Array, length: number, at: number, run: number): number {
  bytes.copyWithin(at + run, at, length);
  return length + run;
}

/** Puts a piece of another input in place of what is there. */
function overwrite(
  bytes: Uint8Array,
  length: number,
  at: number,
  run: number,
  other: Uint8Array,
  random: Random,
): number {
  const from = random.below(4) === 0 ? random.below(other.length + 1) : at;
  const end = Math.min(bytes.length - at, other.length - from, run);
  for (let index = 0; index < end; index++) bytes[at + index] = other[from + index] as number;
  return Math.max(length, at + Math.max(0, end));
}
