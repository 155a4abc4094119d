/** The leased range as a bitmap in shared memory: bit `bucket & 31` of word `bucket >> 5`. */

/** Words of a bitmap for `buckets` buckets. */
export function bitmapWords(buckets: number): number {
  return (buckets + 31) >>> 5;
}

/** Whether `bucket` is in the set; false for a bucket beyond the end. */
export function hasBucket(bitmap: Int32Array, bucket: number): boolean {
  const word = bucket >>> 5;
  return word < bitmap.length && (((bitmap[word] as number) >>> (bucket & 31)) & 1) === 1;
}

/**
 * Publishes a new set. Each word changes at once; readers may see the words change one after the
 * other.
 */
export function publishBitmap(bitmap: Int32Array, source: ArrayLike<number>): void {
  for (let word = 0; word < bitmap.length; word++) {
    Atomics.store(bitmap, word, (source[word] ?? 0) | 0);
  }
}
