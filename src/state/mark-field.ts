/**
 * The bucket in the packet mark and in the connection mark, under a mask of adjacent bits.
 *
 *     0          not traffic of the cluster
 *     1..B       bucket + 1
 *     all ones   traffic of the cluster, bucket not known yet
 */

/** What {@link MarkField.bucketOf} gives for a mark without a bucket. */
const NONE = -1;

export class MarkField {
  /** The bucket stands so many bits up. */
  readonly shift: number;
  /** The mask as a signed number: a larger one would be a fraction to the compiler. */
  private readonly bits: number;

  /** @param mask adjacent bits, enough of them for all buckets and two values more */
  constructor(readonly mask: number) {
    this.bits = mask | 0;
    this.shift = 31 - Math.clz32(mask & -mask);
  }

  /** uint32 mark with nothing but `bucket` in it. */
  encode(bucket: number): number {
    return ((bucket + 1) << this.shift) >>> 0;
  }

  /** `mark` with `bucket` in it; the bits outside the mask stay. */
  with(mark: number, bucket: number): number {
    return (mark & ~this.bits) | ((bucket + 1) << this.shift);
  }

  isCluster(mark: number): boolean {
    return (mark & this.bits) !== 0;
  }

  /** The bucket in `mark`, or -1 where it holds none. */
  bucketOf(mark: number): number {
    const field = mark & this.bits;
    if (field === 0 || field === this.bits) return NONE;
    return (field >>> this.shift) - 1;
  }
}
