/**
 * The flows this node knows, own and replicated, by key and by bucket.
 *
 * Bounded: at the bound a record without a reply makes room, then one that was replied to but is
 * not assured, the oldest first. An assured flow never does: then the new record is refused.
 */
import { Digests, type Hash, hashOf } from "./digest.js";
import type { Digest } from "./ops.js";
import { type Rank, type Replicated, rankOf } from "./record.js";
import { recordBytes } from "./record-wire.js";
import type { Version } from "./version.js";

export interface Entry {
  readonly key: string;
  readonly record: Replicated;
  readonly version: Version;
  readonly hash: Hash;
  /** When it became known here: at all, and in this version. */
  sinceMs: number;
  readonly atMs: number;
  /** The own frame that told of this version, in the count of all frames; -1: a peer did. */
  frame: number;
  /** When the kernel last spoke of it. */
  seenMs: number;
  /** Since when the kernel does not have it although it should; NaN: it has. */
  lostMs: number;
  /** Whether the local kernel says that the connection has ended. */
  isOver: boolean;
}

export class FlowTable {
  readonly counters = { evicted: 0, refused: 0 };
  private readonly entries = new Map<string, Entry>();
  private readonly buckets: (Set<string> | undefined)[];
  private readonly digests: Digests;
  /** What can make room, oldest first. */
  private readonly ranks = {
    unreplied: new Set<string>(),
    replied: new Set<string>(),
    kept: new Set<string>(),
  } satisfies Record<Rank, Set<string>>;

  constructor(
    buckets: number,
    readonly max: number,
  ) {
    this.buckets = new Array(buckets);
    this.digests = new Digests(buckets);
  }

  get size(): number {
    return this.entries.size;
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
    return [...(this.buckets[bucket] ?? [])];
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
    const hash = hashOf(recordBytes(record), version);
    const entry: Entry = {
      ...{ key, record, version, hash, atMs: now, frame: -1 },
      sinceMs: before?.sinceMs ?? now,
      seenMs: before?.seenMs ?? now,
      lostMs: before?.lostMs ?? Number.NaN,
      isOver: before?.isOver ?? false,
    };
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
    const key = unreplied.values().next().value ?? replied.values().next().value;
    const victim = key === undefined ? undefined : this.entries.get(key);
    if (!victim) {
      this.counters.refused += 1;
      return false;
    }
    this.remove(victim);
    this.counters.evicted += 1;
    onEvict(victim);
    return true;
  }

  private file({ key, record, hash }: Entry): void {
    this.digests.add(record.bucket, hash);
    this.ranks[rankOf(record)].add(key);
    const keys = this.buckets[record.bucket];
    if (keys) keys.add(key);
    else this.buckets[record.bucket] = new Set([key]);
  }

  private take({ key, record, hash }: Entry): void {
    this.digests.remove(record.bucket, hash);
    this.ranks[rankOf(record)].delete(key);
    this.buckets[record.bucket]?.delete(key);
  }
}
