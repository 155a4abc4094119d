/**
 * The mirror: flows that the packet workers have seen, in shared memory, each with its bucket.
 *
 * Problem: where only the opener's address is hashed, a reply names the wrong bucket, and for UDP
 * the kernel is no help: to a node that does not handle the flow, each of its packets is new. Every
 * node sees every packet, so each remembers for itself what the first one said.
 *
 * Each worker writes a shard of its own and reads all. A reader of another's shard never waits and
 * never believes a torn entry: the version of an entry is odd while it is written, and a reader
 * that sees it odd or changed takes the entry for absent. In its own shard nobody else writes, and
 * there plain loads do: an Atomics.load costs several times as much.
 *
 *     shard: one tag per entry, then the entries
 *     tag    the flow's hash, bit 0 set; 0 = never used
 *     entry  word  0        1           2          3..12                 13..15
 *                  version  bucket + 1  seen (ms)  key (see FLOW_KEY)    unused, to 64 bytes
 *
 * A shard is cut in sets of {@link WAYS} entries whose tags share a cache line, so a flow that is
 * not there costs one line and one that is there two. At the bound the entry of the set that was
 * seen longest ago makes room, and `evicted` counts it if it was still in use.
 */

/** Words of a flow's key: family and protocol, ports, two addresses of four words. */
export const FLOW_KEY = { PROTOCOL: 0, PORTS: 1, LOWER: 2, UPPER: 6, WORDS: 10 } as const;

const ENTRY_WORDS = 16;

/** Entries of a set. */
export const WAYS = 8;

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
  return shards * flows * (1 + ENTRY_WORDS) * 4;
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
  private readonly words: Int32Array;
  private readonly shardWords: number;
  private readonly setMask: number;

  constructor(private readonly settings: MirrorSettings) {
    this.words = new Int32Array(settings.buffer);
    this.shardWords = settings.flows * (1 + ENTRY_WORDS);
    this.setMask = settings.flows / WAYS - 1;
  }

  /** The bucket of a flow, or {@link NOT_MIRRORED}. A hit elsewhere is copied to the own shard. */
  find(key: Int32Array, hash: number, nowMs: number): number {
    const { shards, own } = this.settings;
    const now = Math.floor(nowMs % TIME_MODULO);
    const bucket = this.findOwn(key, hash, now);
    if (bucket !== NOT_MIRRORED) return bucket;
    for (let shard = 0; shard < shards; shard++) {
      if (shard === own) continue;
      const elsewhere = this.findIn(shard, key, hash, now);
      if (elsewhere === NOT_MIRRORED) continue;
      this.remember(key, hash, elsewhere, nowMs);
      return elsewhere;
    }
    return NOT_MIRRORED;
  }

  /** Writes or refreshes a flow in the own shard. */
  remember(key: Int32Array, hash: number, bucket: number, nowMs: number): void {
    const { words } = this;
    const now = Math.floor(nowMs % TIME_MODULO);
    const slot = this.place(key, hash, now);
    const at = this.entryAt(this.settings.own, slot);
    // Odd from here on, also where a writer that was killed in the middle had left it odd.
    const writing = Atomics.load(words, at + VERSION) | 1;
    Atomics.store(words, at + VERSION, writing);
    Atomics.store(words, at + BUCKET, bucket + 1);
    Atomics.store(words, at + SEEN, now);
    for (let word = 0; word < FLOW_KEY.WORDS; word++) {
      Atomics.store(words, at + KEY + word, key[word] as number);
    }
    Atomics.store(words, this.tagAt(this.settings.own, slot), tagOf(hash));
    Atomics.store(words, at + VERSION, writing + 1);
  }

  /** In the own shard: no one else writes here. A hit keeps the flow in use. */
  private findOwn(key: Int32Array, hash: number, now: number): number {
    const { words } = this;
    const { own, idleMs } = this.settings;
    const tag = tagOf(hash);
    const first = this.setOf(hash);
    const tags = this.tagAt(own, first);
    for (let way = 0; way < WAYS; way++) {
      if (words[tags + way] !== tag) continue;
      const at = this.entryAt(own, first + way);
      if (((words[at + VERSION] as number) & 1) === 1 || !this.isKey(at, key)) continue;
      if (idleSince(words[at + SEEN] as number, now) > idleMs) return NOT_MIRRORED;
      words[at + SEEN] = now;
      return (words[at + BUCKET] as number) - 1;
    }
    return NOT_MIRRORED;
  }

  /** In another's shard, whose writer may be at work on the very entry. */
  private findIn(shard: number, key: Int32Array, hash: number, now: number): number {
    const { words } = this;
    const tag = tagOf(hash);
    const first = this.setOf(hash);
    const tags = this.tagAt(shard, first);
    for (let way = 0; way < WAYS; way++) {
      if (words[tags + way] !== tag) continue;
      const at = this.entryAt(shard, first + way);
      const version = Atomics.load(words, at + VERSION);
      if ((version & 1) === 1 || !this.isKeyShared(at, key)) continue;
      const bucket = Atomics.load(words, at + BUCKET) - 1;
      const idle = idleSince(Atomics.load(words, at + SEEN), now);
      if (Atomics.load(words, at + VERSION) !== version) continue;
      return idle > this.settings.idleMs ? NOT_MIRRORED : bucket;
    }
    return NOT_MIRRORED;
  }

  /** Slot of the key in the own shard, or the one that makes room for it. */
  private place(key: Int32Array, hash: number, now: number): number {
    const { words } = this;
    const { own, idleMs } = this.settings;
    const first = this.setOf(hash);
    let oldest = first;
    let oldestMs = -1;
    for (let slot = first; slot < first + WAYS; slot++) {
      const at = this.entryAt(own, slot);
      const isFree = words[at + BUCKET] === 0;
      if (!isFree && this.isKey(at, key)) return slot;
      const idle = isFree ? TIME_MODULO : idleSince(words[at + SEEN] as number, now);
      if (idle <= oldestMs) continue;
      oldest = slot;
      oldestMs = idle;
    }
    if (oldestMs <= idleMs) this.evicted++;
    return oldest;
  }

  /** First slot of the set that a hash belongs to. */
  private setOf(hash: number): number {
    return (hash & this.setMask) * WAYS;
  }

  private tagAt(shard: number, slot: number): number {
    return shard * this.shardWords + slot;
  }

  private entryAt(shard: number, slot: number): number {
    return shard * this.shardWords + this.settings.flows + slot * ENTRY_WORDS;
  }

  private isKey(at: number, key: Int32Array): boolean {
    const { words } = this;
    for (let word = 0; word < FLOW_KEY.WORDS; word++) {
      if (words[at + KEY + word] !== key[word]) return false;
    }
    return true;
  }

  private isKeyShared(at: number, key: Int32Array): boolean {
    for (let word = 0; word < FLOW_KEY.WORDS; word++) {
      if (Atomics.load(this.words, at + KEY + word) !== key[word]) return false;
    }
    return true;
  }
}

function tagOf(hash: number): number {
  return hash | 1;
}

/** Milliseconds, both times modulo {@link TIME_MODULO}. */
function idleSince(seen: number, now: number): number {
  return (now - seen + TIME_MODULO) % TIME_MODULO;
}
