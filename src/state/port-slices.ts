/**
 * The ports of a translated address, cut into one slice per bucket: contiguous, all of one width,
 * in the order of the buckets. What is left over at the end of the range belongs to nobody.
 *
 *     first         first + width                      first + buckets * width        last
 *     | bucket 0    | bucket 1    | ...    | bucket B-1 | unused ...                     |
 *
 * So the port that a reply comes back to names the bucket of its flow without any table, and nodes
 * that own different buckets can never choose the same translated tuple.
 */

/** What {@link PortSlices.bucketOf} gives for a port of no slice. */
export const NO_SLICE = -1;

/** First and last port, both included. */
export type PortRange = readonly [first: number, last: number];

export class PortSlices {
  /** Ports of a slice; 0 where there are fewer ports than buckets, and then no port is in one. */
  readonly width: number;
  private readonly first: number;

  constructor(
    [first, last]: PortRange,
    readonly buckets: number,
  ) {
    this.first = first;
    this.width = Math.floor((last - first + 1) / buckets);
  }

  /** The slice of a bucket. */
  of(bucket: number): PortRange {
    const first = this.first + bucket * this.width;
    return [first, first + this.width - 1];
  }

  /** The bucket of a port or ICMP id, or {@link NO_SLICE}. Allocates nothing. */
  bucketOf(port: number): number {
    const offset = port - this.first;
    if (offset < 0 || offset >= this.width * this.buckets) return NO_SLICE;
    return Math.floor(offset / this.width);
  }
}
