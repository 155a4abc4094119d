/**
 * Bob Jenkins' lookup3 over 32-bit words: the kernel's `jhash_1word`, `jhash_3words` and `jhash2`
 * (include/linux/jhash.h; http://burtleburtle.net/bob/c/lookup3.c, public domain).
 *
 * One hash for every mode, because it has to be computed alike here, in the kernel's `cluster`
 * match, in C++ and in a short BPF program. It is no cryptographic hash: who knows the seed can aim
 * at a bucket, so the seed is part of the cluster's secret.
 *
 * All arithmetic is on signed 32-bit numbers (`| 0`), which the compiler keeps in registers;
 * results are unsigned (`>>> 0`).
 */

/** Arbitrary start value of the kernel's variant. */
const INITVAL = 0xdeadbeef | 0;
const WORD_BYTES = 4;

/** Hash of one word. */
export function jhash1(a: number, initval: number): number {
  const start = startOf(1, initval);
  return last(start + a, start, start);
}

/** Hash of three words. */
export function jhash3(a: number, b: number, c: number, initval: number): number {
  const start = startOf(3, initval);
  return last(start + a, start + b, start + c);
}

/**
 * Hash of `count` words of `words`.
 *
 * @param words read as 32-bit values, signed or not
 * @param count at least 1
 * @returns uint32
 */
export function jhashWords(words: Int32Array, count: number, initval: number): number {
  let a = startOf(count, initval);
  let b = a;
  let c = a;
  let at = 0;
  // Rounds are written out: a function cannot return three numbers without allocating.
  for (; count - at > 3; at += 3) {
    a = (a + (words[at] as number)) | 0;
    b = (b + (words[at + 1] as number)) | 0;
    c = (c + (words[at + 2] as number)) | 0;
    a = (a - c) ^ rotate(c, 4);
    c = (c + b) | 0;
    b = (b - a) ^ rotate(a, 6);
    a = (a + c) | 0;
    c = (c - b) ^ rotate(b, 8);
    b = (b + a) | 0;
    a = (a - c) ^ rotate(c, 16);
    c = (c + b) | 0;
    b = (b - a) ^ rotate(a, 19);
    a = (a + c) | 0;
    c = (c - b) ^ rotate(b, 4);
    b = (b + a) | 0;
  }
  a += words[at] as number;
  if (count - at > 1) b += words[at + 1] as number;
  if (count - at > 2) c += words[at + 2] as number;
  return last(a, b, c);
}

function startOf(words: number, initval: number): number {
  return (INITVAL + words * WORD_BYTES + initval) | 0;
}

/** The closing round; sums may come in unwrapped. */
function last(first: number, second: number, third: number): number {
  let a = first | 0;
  let b = second | 0;
  let c = third | 0;
  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  return ((c ^ b) - rotate(b, 24)) >>> 0;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
