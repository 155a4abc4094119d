/**
 * The flows this node knows, own and replicated, by key and by bucket.
 *
 * Bounded: at the bound a record without a reply makes room, then one that was replied to but is
 * not assured, the oldest first. An assured flow never does: then the new record is refused.
 */
import { Digests } from "./digest.js";
import type { Digest } from "./ops.js";
import { pack, timeoutClassOf, unpack } from "./packed.js";
import { isUrgent, type Rank, type Replicated, rankOf } from "./record.js";
import type { Version } from "./version.js";

/**
 * A flow of the table. There are hundreds of thousands, so the record is kept packed, and what is
 * asked of it often is beside it.
 */
export class Entry {
  readonly packed: string;
  readonly bucket: number;
  readonly rank: Rank;
  readonly isUrgent: boolean;
  /** Whether a replica of it may stay out of the kernel; see Residence. */
  readonly mayBeOut: boolean;
  /** The own frame that told of this version, in the count of all frames; -1: a peer did. */
  frame = -1;
  /** Since when the kernel does not have it although it should; NaN: it has. */
  lostMs: number;
  /** Whether the local kernel says that the connection has ended. */
  isOver: boolean;
  /** When it became known here at all, and when the kernel last spoke of it. */
  sinceMs: number;
  seenMs: number;

  /**
   * @param atMs when it became known here in this version
   * @param before what it takes the place of
   */
  constructor(
    readonly key: string,
    record: Replicated,
    readonly version: Version,
    readonly atMs: number,
    mayBeOut: boolean,
    before: Entry | undefined,
  ) {
    this.packed = pack(record);
    this.bucket = record.bucket;
    this.rank = rankOf(record);
    this.isUrgent = isUrgent(record);
    this.mayBeOut = mayBeOut;
    this.lostMs = before?.lostMs ?? Number.NaN;
    this.isOver = before?.isOver ?? false;
    this.sinceMs = before?.sinceMs ?? atMs;
    this.seenMs = before?.seenMs ?? atMs;
  }

  /** The record, made anew each time. */
  get record(): Replicated {
    return unpack(this.packed);
  }

  /** That of the record, which is not made for it. */
  get timeoutClass(): number {
    return timeoutClassOf(this.packed);
  }
}

export class FlowTable {
  readonly counters = { evicted: 0, refused: 0 };
  private readonly entries = new Map<string, Entry>();
  private readonly buckets: (Set<Entry> | undefined)[];
  private readonly digests: Digests;
  /** What can make room, oldest first; `kept` never does. */
  private readonly ranks: { readonly [rank in Rank]?: Set<Entry> } = {
    unreplied: new Set(),
    replied: new Set(),
  };

  constructor(
    buckets: number,
    readonly max: number,
    private readonly mayBeOut: ((record: Replicated) => boolean) | null = null,
  ) {
    this.buckets = new Array(buckets);
    this.digests = new Digests(buckets);
  }

  get size(): number {
    return this.entries.size;
  }

  get bucketCount(): number {
    return this.buckets.length;
  }

  get isFull(): boolean {
    return this.entries.size >= this.max;
  }

  get(key: string): Entry | undefined {
    return this.entries.get(key);
  }

  all(): Iterable<Entry> {
    return this.entries.values();
  }

  /** Keys of a bucket, as they are now. */
  keysOf(bucket: number): string[] {
    return Array.from(this.buckets[bucket] ?? [], ({ key }) => key);
  }

  digest(bucket: number): Digest {
    return this.digests.of(bucket);
  }

  /**
   * Puts a record in place of what was there.
   * @param onEvict told of what had to make room
   * @returns null when there is no room for a new one
   */
  put(
    key: string,
    record: Replicated,
    version: Version,
    now: number,
    onEvict: (entry: Entry) => void,
  ): Entry | null {
    const before = this.entries.get(key);
    if (before) this.take(before);
    else if (!this.makeRoom(onEvict)) return null;
    const mayBeOut = this.mayBeOut?.(record) ?? false;
    const entry = new Entry(key, record, version, now, mayBeOut, before);
    this.entries.set(key, entry);
    this.file(entry);
    return entry;
  }

  remove(entry: Entry): void {
    this.take(entry);
    this.entries.delete(entry.key);
  }

  private makeRoom(onEvict: (entry: Entry) => void): boolean {
    if (!this.isFull) return true;
    const { unreplied, replied } = this.ranks;
    const victim = unreplied?.values().next().value ?? replied?.values().next().value;
    if (!victim) {
      this.counters.refused += 1;
      return false;
    }
    this.remove(victim);
    this.counters.evicted += 1;
    onEvict(victim);
    return true;
  }

  private file(entry: Entry): void {
    const { bucket, packed, version, rank } = entry;
    this.digests.add(bucket, packed, version);
    this.ranks[rank]?.add(entry);
    const entries = this.buckets[bucket];
    if (entries) entries.add(entry);
    else this.buckets[bucket] = new Set([entry]);
  }

  private take(entry: Entry): void {
    const { bucket, packed, version, rank } = entry;
    this.digests.remove(bucket, packed, version);
    this.ranks[rank]?.delete(entry);
    this.buckets[bucket]?.delete(entry);
  }
}
