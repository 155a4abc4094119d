/**
 * Sets of buckets: one bit per bucket, in words of 32. Bits beyond the last bucket are always 0.
 * On the wire a set is a list of runs.
 */
const WORD_BITS = 32;
const ALL = 0xffff_ffff;

export type Bitmap = Uint32Array;

/** First and last bucket, both included. */
export type Run = readonly [first: number, last: number];

export function emptyBitmap(buckets: number): Bitmap {
  return new Uint32Array(Math.ceil(buckets / WORD_BITS));
}

export function bitmapOf(runs: readonly Run[], buckets: number): Bitmap {
  const bitmap = emptyBitmap(buckets);
  for (const [first, last] of runs) {
    for (let bucket = first; bucket <= last; bucket++) addBucket(bitmap, bucket);
  }
  return bitmap;
}

export function addBucket(bitmap: Bitmap, bucket: number): void {
  bitmap[bucket >>> 5] |= 1 << (bucket & 31);
}

export function hasBucket(bitmap: Bitmap, bucket: number): boolean {
  return (bitmap[bucket >>> 5] & (1 << (bucket & 31))) !== 0;
}

export function isEmpty(bitmap: Bitmap): boolean {
  return bitmap.every((word) => word === 0);
}

export function isSame(a: Bitmap, b: Bitmap): boolean {
  return a.every((word, index) => word === b[index]);
}

export function countBuckets(bitmap: Bitmap): number {
  let count = 0;
  for (let word of bitmap) for (; word !== 0; word &= word - 1) count += 1;
  return count;
}

/** The members of a set in ascending order. */
export function* bucketsOf(bitmap: Bitmap): Generator<number> {
  for (let index = 0; index < bitmap.length; index++) {
    for (let word = bitmap[index]; word !== 0; word &= word - 1) {
      yield index * WORD_BITS + 31 - Math.clz32(word & -word);
    }
  }
}

/** `a` and `b`, as a new set. */
export function both(a: Bitmap, b: Bitmap): Bitmap {
  return a.map((word, index) => word & b[index]);
}

/** `a` without `b`, as a new set. */
export function without(a: Bitmap, b: Bitmap): Bitmap {
  return a.map((word, index) => word & ~b[index]);
}

/** Adds `more` to `set` itself. */
export function addAll(set: Bitmap, more: Bitmap): void {
  for (let index = 0; index < set.length; index++) set[index] |= more[index];
}

/** Takes `less` out of `set` itself. */
export function removeAll(set: Bitmap, less: Bitmap): void {
  for (let index = 0; index < set.length; index++) set[index] &= ~less[index];
}

/** The set as ascending runs that do not touch, at most `limit` of them; the rest is left out. */
export function runsOf(bitmap: Bitmap, limit = Number.POSITIVE_INFINITY): Run[] {
  const runs: Run[] = [];
  const end = bitmap.length * WORD_BITS;
  for (let first = nextBit(bitmap, 0, 1); first < end && runs.length < limit; ) {
    const after = nextBit(bitmap, first, 0);
    runs.push([first, after - 1]);
    first = nextBit(bitmap, after, 1);
  }
  return runs;
}

/** The first position from `from` on whose bit is `bit`, or the end of the bitmap. */
function nextBit(bitmap: Bitmap, from: number, bit: 0 | 1): number {
  const skipped = bit === 1 ? 0 : ALL;
  let at = from;
  while (at >>> 5 < bitmap.length) {
    if ((at & 31) === 0 && bitmap[at >>> 5] === skipped) at += WORD_BITS;
    else if (((bitmap[at >>> 5] >>> (at & 31)) & 1) === bit) return at;
    else at += 1;
  }
  return bitmap.length * WORD_BITS;
}
