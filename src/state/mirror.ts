/**
 * The mirror: flows that the packet workers have seen, in shared memory, each with its bucket.
 *
 * Problem: where only the opener's address is hashed, a reply names the wrong bucket, and for UDP
 * the kernel is no help: to a node that does not handle the flow, each of its packets is new. Every
 * node sees every packet, so each remembers for itself what the first one said.
 *
 * Each worker writes a shard of its own and reads all. A reader never waits and never believes a
 * torn entry: the version of an entry is odd while it is written, and a reader that sees it odd or
 * changed takes the entry for absent.
 *
 *     word  0        1           2          3..12                 13..15
 *           version  bucket + 1  seen (ms)  key (see FLOW_KEY)    unused, to 64 bytes
 *
 * A shard is cut in sets of {@link WAYS} entries. At the bound the entry of the set that was seen
 * longest ago makes room, and `evicted` counts it if it was still in use.
 */

/** Words of a flow's key: family and protocol, ports, two addresses of four words. */
export const FLOW_KEY = { PROTOCOL: 0, PORTS: 1, LOWER: 2, UPPER: 6, WORDS: 10 } as const;

const ENTRY_WORDS = 16;
const WAYS = 4;
const VERSION = 0;
const BUCKET = 1;
const SEEN = 2;
const KEY = 3;

/** Times are kept modulo this many milliseconds; twelve days, far above any idle limit. */
const TIME_MODULO = 2 ** 30;

/** What {@link Mirror.find} gives for a flow that is not there. */
export const NOT_MIRRORED = -1;

/** Bytes of a mirror with `shards` shards of `flows` entries each, a power of two. */
export function mirrorBytes(shards: number, flows: number): number {
  return shards * flows * ENTRY_WORDS * 4;
}

export interface MirrorSettings {
  readonly buffer: SharedArrayBuffer;
  readonly shards: number;
  /** Entries of a shard, a power of two, at least {@link WAYS}. */
  readonly flows: number;
  /** The shard that the caller writes. */
  readonly own: number;
  /** An entry that was not seen for longer is as good as absent. */
  readonly idleMs: number;
}

export class Mirror {
  /** Entries in use that had to make room. */
  evicted = 0;
  /** Bucket of the flow that {@link locate} found last: a second result without an object. */
  private found = NOT_MIRRORED;
  private readonly words: Int32Array;
  private readonly shardWords: number;
  private readonly setMask: number;

  constructor(private readonly settings: MirrorSettings) {
    this.words = new Int32Array(settings.buffer);
    this.shardWords = settings.flows * ENTRY_WORDS;
    this.setMask = settings.flows / WAYS - 1;
  }

  /** The bucket of a flow, or {@link NOT_MIRRORED}. A hit elsewhere is copied to the own shard. */
  find(key: Int32Array, hash: number, nowMs: number): number {
    const { shards, own } = this.settings;
    const at = this.locate(own, key, hash, nowMs);
    if (at !== NOT_MIRRORED) {
      Atomics.store(this.words, at + SEEN, Math.floor(nowMs % TIME_MODULO));
      return this.found;
    }
    for (let shard = 0; shard < shards; shard++) {
      if (shard === own || this.locate(shard, key, hash, nowMs) === NOT_MIRRORED) continue;
      this.remember(key, hash, this.found, nowMs);
      return this.found;
    }
    return NOT_MIRRORED;
  }

  /** Writes or refreshes a flow in the own shard. */
  remember(key: Int32Array, hash: number, bucket: number, nowMs: number): void {
    const at = this.place(key, hash, nowMs);
    const { words } = this;
    // Odd from here on, also where a writer that was killed in the middle had left it odd.
    const writing = Atomics.load(words, at + VERSION) | 1;
    Atomics.store(words, at + VERSION, writing);
    Atomics.store(words, at + BUCKET, bucket + 1);
    Atomics.store(words, at + SEEN, Math.floor(nowMs % TIME_MODULO));
    for (let word = 0; word < FLOW_KEY.WORDS; word++) {
      Atomics.store(words, at + KEY + word, key[word] as number);
    }
    Atomics.store(words, at + VERSION, writing + 1);
  }

  /** Where a flow in use stands, its bucket left in `found`; else {@link NOT_MIRRORED}. */
  private locate(shard: number, key: Int32Array, hash: number, nowMs: number): number {
    const set = this.setAt(shard, hash);
    for (let way = 0; way < WAYS; way++) {
      const at = set + way * ENTRY_WORDS;
      const version = Atomics.load(this.words, at + VERSION);
      if ((version & 1) === 1 || !this.isKey(at, key)) continue;
      this.found = Atomics.load(this.words, at + BUCKET) - 1;
      const isIdle = this.idleMs(at, nowMs) > this.settings.idleMs;
      if (Atomics.load(this.words, at + VERSION) !== version) continue;
      return isIdle ? NOT_MIRRORED : at;
    }
    return NOT_MIRRORED;
  }

  /** The entry of the key in the own shard, or the one that makes room for it. */
  private place(key: Int32Array, hash: number, nowMs: number): number {
    const set = this.setAt(this.settings.own, hash);
    let oldest = set;
    let oldestMs = -1;
    for (let way = 0; way < WAYS; way++) {
      const at = set + way * ENTRY_WORDS;
      if (this.isKey(at, key)) return at;
      const isFree = this.words[at + BUCKET] === 0;
      const idle = isFree ? TIME_MODULO : this.idleMs(at, nowMs);
      if (idle <= oldestMs) continue;
      oldest = at;
      oldestMs = idle;
    }
    if (oldestMs <= this.settings.idleMs) this.evicted++;
    return oldest;
  }

  private setAt(shard: number, hash: number): number {
    return shard * this.shardWords + (hash & this.setMask) * WAYS * ENTRY_WORDS;
  }

  private isKey(at: number, key: Int32Array): boolean {
    for (let word = 0; word < FLOW_KEY.WORDS; word++) {
      if (Atomics.load(this.words, at + KEY + word) !== key[word]) return false;
    }
    return Atomics.load(this.words, at + BUCKET) !== 0;
  }

  private idleMs(at: number, nowMs: number): number {
    const now = Math.floor(nowMs % TIME_MODULO);
    return (now - Atomics.load(this.words, at + SEEN) + TIME_MODULO) % TIME_MODULO;
  }
}
