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
 * not there costs one line and one that is there two. A flow sits at its favourite place in the
 * set, which its hash names, or at the next free one: with half of the places taken three of four
 * look-ups find it at once, which spares the processor a wrong guess. At the bound the entry of the
 * set that was seen longest ago makes room, and `evicted` counts it if it was still in use.
 */

/**
 * Words of a flow's key: family and protocol (as `family << 8 | protocol`), ports, the first word
 * of each address; from REST on the other three of each, which are 0 in IPv4 and not compared.
 */
export const enum FLOW_KEY {
  PROTOCOL = 0,
  PORTS = 1,
  LOWER = 2,
  UPPER = 3,
  REST = 4,
  WORDS = 10,
}

/** Whether the first words are all there is: IPv4. */
export function isShort(key: Int32Array): boolean {
  return (key[FLOW_KEY.PROTOCOL] as number) >> 8 === 4;
}

const ENTRY_WORDS = 16;

/** Entries of a set. */
export const WAYS = 8;

/** The highest bits of a hash name the place where its flow goes first. */
const WAY_SHIFT = 29;

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
  /** Byte of the buffer where the mirror begins; faster on a border of cache lines. */
  readonly at: number;
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
  private readonly own: number;
  private readonly shardWords: number;
  private readonly setMask: number;

  constructor(private readonly settings: MirrorSettings) {
    this.words = new Int32Array(settings.buffer, settings.at);
    this.own = settings.own;
    this.shardWords = settings.flows * (1 + ENTRY_WORDS);
    this.setMask = settings.flows / WAYS - 1;
  }

  /** The bucket of a flow, or {@link NOT_MIRRORED}. A hit elsewhere is copied to the own shard. */
  find(key: Int32Array, hash: number, nowMs: number): number {
    const { own } = this;
    const { shards } = this.settings;
    const now = timeOf(nowMs);
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

  /**
   * Reads what a look-up of `hash` will read first: its tags, and the entry at its favourite place.
   * Called for all flows of a batch before the first look-up, it lets the memory's answers come
   * together instead of one after the other.
   * @returns what was read: the compiler leaves a read out that nobody uses
   */
  touch(hash: number): number {
    const { words, own } = this;
    const slot = this.slotOf(hash, 0);
    return (words[this.tagAt(own, slot)] as number) ^ (words[this.entryAt(own, slot)] as number);
  }

  /** Writes or refreshes a flow in the own shard. */
  remember(key: Int32Array, hash: number, bucket: number, nowMs: number): void {
    const { words } = this;
    const now = timeOf(nowMs);
    const slot = this.place(key, hash, now);
    const at = this.entryAt(this.own, slot);
    // Odd from here on, also where a writer that was killed in the middle had left it odd.
    const writing = Atomics.load(words, at + VERSION) | 1;
    Atomics.store(words, at + VERSION, writing);
    Atomics.store(words, at + BUCKET, bucket + 1);
    Atomics.store(words, at + SEEN, now);
    for (let word = 0; word < FLOW_KEY.WORDS; word++) {
      Atomics.store(words, at + KEY + word, key[word] as number);
    }
    Atomics.store(words, this.tagAt(this.own, slot), tagOf(hash));
    Atomics.store(words, at + VERSION, writing + 1);
  }

  /** In the own shard: no one else writes here. A hit keeps the flow in use. */
  private findOwn(key: Int32Array, hash: number, now: number): number {
    const { words, own } = this;
    const tag = tagOf(hash);
    for (let step = 0; step < WAYS; step++) {
      const slot = this.slotOf(hash, step);
      if (words[this.tagAt(own, slot)] !== tag) continue;
      const at = this.entryAt(own, slot);
      if (((words[at + VERSION] as number) & 1) === 1 || !this.isKey(at, key)) continue;
      if (idleSince(words[at + SEEN] as number, now) > this.settings.idleMs) return NOT_MIRRORED;
      words[at + SEEN] = now;
      return (words[at + BUCKET] as number) - 1;
    }
    return NOT_MIRRORED;
  }

  /** In another's shard, whose writer may be at work on the very entry. */
  private findIn(shard: number, key: Int32Array, hash: number, now: number): number {
    const { words } = this;
    const tag = tagOf(hash);
    for (let step = 0; step < WAYS; step++) {
      const slot = this.slotOf(hash, step);
      if (words[this.tagAt(shard, slot)] !== tag) continue;
      const at = this.entryAt(shard, slot);
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
    const { words, own } = this;
    let oldest = 0;
    let oldestMs = -1;
    for (let step = 0; step < WAYS; step++) {
      const slot = this.slotOf(hash, step);
      const at = this.entryAt(own, slot);
      const isFree = words[at + BUCKET] === 0;
      if (!isFree && this.isKey(at, key)) return slot;
      const idle = isFree ? TIME_MODULO : idleSince(words[at + SEEN] as number, now);
      if (idle <= oldestMs) continue;
      oldest = slot;
      oldestMs = idle;
    }
    if (oldestMs <= this.settings.idleMs) this.evicted++;
    return oldest;
  }

  /** Slot number `step` of the set that a hash belongs to, counted from its favourite place. */
  private slotOf(hash: number, step: number): number {
    return (hash & this.setMask) * WAYS + (((hash >>> WAY_SHIFT) + step) & (WAYS - 1));
  }

  private tagAt(shard: number, slot: number): number {
    return shard * this.shardWords + slot;
  }

  private entryAt(shard: number, slot: number): number {
    return shard * this.shardWords + this.settings.flows + slot * ENTRY_WORDS;
  }

  /** Written out for IPv4, whose look-up this is most of. */
  private isKey(at: number, key: Int32Array): boolean {
    const { words } = this;
    if (
      words[at + KEY + FLOW_KEY.PROTOCOL] !== key[FLOW_KEY.PROTOCOL] ||
      words[at + KEY + FLOW_KEY.PORTS] !== key[FLOW_KEY.PORTS] ||
      words[at + KEY + FLOW_KEY.LOWER] !== key[FLOW_KEY.LOWER] ||
      words[at + KEY + FLOW_KEY.UPPER] !== key[FLOW_KEY.UPPER]
    ) {
      return false;
    }
    if (isShort(key)) return true;
    for (let word = FLOW_KEY.REST; word < FLOW_KEY.WORDS; word++) {
      if (words[at + KEY + word] !== key[word]) return false;
    }
    return true;
  }

  private isKeyShared(at: number, key: Int32Array): boolean {
    const count = isShort(key) ? FLOW_KEY.REST : FLOW_KEY.WORDS;
    for (let word = 0; word < count; word++) {
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
  return (now - seen) & (TIME_MODULO - 1);
}

/** Whole milliseconds modulo {@link TIME_MODULO}; `%` on a fraction would be a call. */
function timeOf(nowMs: number): number {
  return nowMs & (TIME_MODULO - 1);
}
