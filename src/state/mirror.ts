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
 * A shard (mirror-shard.ts) is cut in sets of {@link WAYS} entries whose tags share a cache line,
 * so a flow that is not there costs one line and one that is there two. A flow sits at its
 * favourite place in the set, which its hash names, or at the next free one: with half of the
 * places taken three of four look-ups find it at once, which spares the processor a wrong guess. At
 * the bound the entry of the set that was seen longest ago makes room, and `evicted` counts it if
 * it was still in use.
 */
import { Entry, type Shard, shardAt, shardBytes } from "./mirror-shard.js";

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

/** Entries of a set: a power of two. */
const WAY_BITS = 3;
export const WAYS = 1 << WAY_BITS;

/** The highest bits of a hash name the place where its flow goes first. */
const WAY_SHIFT = 32 - WAY_BITS;

/** Times are kept modulo this many milliseconds; twelve days, far above any idle limit. */
const TIME_MODULO = 2 ** 30;

/** What {@link Mirror.find} gives for a flow that is not there. */
export const NOT_MIRRORED = -1;

/** Bytes of a mirror with `shards` shards of `flows` entries each, a power of two. */
export function mirrorBytes(shards: number, flows: number): number {
  return shards * shardBytes(flows);
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
  /** An entry that was not seen for longer, less up to 1/256, is as good as absent. */
  readonly idleMs: number;
}

export class Mirror {
  /** Entries in use that had to make room. */
  evicted = 0;
  private readonly shards: readonly Shard[];
  private readonly own: Shard;
  private readonly setMask: number;
  private readonly idleMs: number;
  /**
   * A hit is written down no more often than this: a line that was only read need not be written
   * back to memory, which took a tenth of the time of a packet at 128 k flows.
   */
  private readonly staleMs: number;

  constructor(settings: MirrorSettings) {
    this.shards = Array.from({ length: settings.shards }, (_, shard) =>
      shardAt(settings.buffer, settings.at + shard * shardBytes(settings.flows), settings.flows),
    );
    this.own = this.shards[settings.own] as Shard;
    this.setMask = (settings.flows >>> WAY_BITS) - 1;
    this.idleMs = settings.idleMs;
    this.staleMs = settings.idleMs >>> 8;
  }

  /** The bucket of a flow, or {@link NOT_MIRRORED}. A hit elsewhere is copied to the own shard. */
  find(key: Int32Array, hash: number, nowMs: number): number {
    const { own, shards } = this;
    const now = timeOf(nowMs);
    const bucket = this.findOwn(key, hash, now);
    if (bucket !== NOT_MIRRORED) return bucket;
    for (let index = 0; index < shards.length; index++) {
      const shard = shards[index] as Shard;
      if (shard === own) continue;
      const elsewhere = this.findIn(shard, key, hash, now);
      if (elsewhere === NOT_MIRRORED) continue;
      this.remember(key, hash, elsewhere, nowMs);
      return elsewhere;
    }
    return NOT_MIRRORED;
  }

  /**
   * Reads what look-ups of `count` hashes will read first: the tags of each, and the entry at its
   * favourite place. Called for all flows of a batch before the first look-up, it lets the memory's
   * answers come together instead of one after the other. The processor looks only some hundred
   * instructions ahead, so the loop is one of few.
   * @returns what was read: the compiler leaves a read out that nobody uses
   */
  touch(hashes: Int32Array, count: number): number {
    const { setMask } = this;
    const { tags, entries } = this.own;
    let read = 0;
    for (let i = 0; i < count; i++) {
      const slot = slotOf(hashes[i] as number, setMask, 0);
      read ^= (tags[slot] as number) ^ (entries[slot * Entry.WORDS] as number);
    }
    return read;
  }

  /** Writes or refreshes a flow in the own shard. */
  remember(key: Int32Array, hash: number, bucket: number, nowMs: number): void {
    const { tags, entries } = this.own;
    const slot = this.place(key, hash, timeOf(nowMs));
    const at = slot * Entry.WORDS;
    // Odd from here on, also where a writer that was killed in the middle had left it odd.
    const writing = Atomics.load(entries, at + Entry.VERSION) | 1;
    Atomics.store(entries, at + Entry.VERSION, writing);
    Atomics.store(entries, at + Entry.BUCKET, bucket + 1);
    Atomics.store(entries, at + Entry.SEEN, timeOf(nowMs));
    for (let word = 0; word < FLOW_KEY.WORDS; word++) {
      Atomics.store(entries, at + Entry.KEY + word, key[word] as number);
    }
    Atomics.store(tags, slot, tagOf(hash));
    Atomics.store(entries, at + Entry.VERSION, writing + 1);
  }

  /** In the own shard: no one else writes here. A hit keeps the flow in use. */
  private findOwn(key: Int32Array, hash: number, now: number): number {
    const { setMask } = this;
    const { tags, entries } = this.own;
    const tag = tagOf(hash);
    for (let step = 0; step < WAYS; step++) {
      const slot = slotOf(hash, setMask, step);
      if (tags[slot] !== tag) continue;
      const at = slot * Entry.WORDS;
      if (((entries[at + Entry.VERSION] as number) & 1) === 1 || !isKey(entries, at, key)) continue;
      const idle = idleSince(entries[at + Entry.SEEN] as number, now);
      if (idle > this.idleMs) return NOT_MIRRORED;
      if (idle > this.staleMs) entries[at + Entry.SEEN] = now;
      return (entries[at + Entry.BUCKET] as number) - 1;
    }
    return NOT_MIRRORED;
  }

  /** In another's shard, whose writer may be at work on the very entry. */
  private findIn({ tags, entries }: Shard, key: Int32Array, hash: number, now: number): number {
    const tag = tagOf(hash);
    for (let step = 0; step < WAYS; step++) {
      const slot = slotOf(hash, this.setMask, step);
      if (tags[slot] !== tag) continue;
      const at = slot * Entry.WORDS;
      const version = Atomics.load(entries, at + Entry.VERSION);
      if ((version & 1) === 1 || !isKeyShared(entries, at, key)) continue;
      const bucket = Atomics.load(entries, at + Entry.BUCKET) - 1;
      const idle = idleSince(Atomics.load(entries, at + Entry.SEEN), now);
      if (Atomics.load(entries, at + Entry.VERSION) !== version) continue;
      return idle > this.idleMs ? NOT_MIRRORED : bucket;
    }
    return NOT_MIRRORED;
  }

  /** Slot of the key in the own shard, or the one that makes room for it. */
  private place(key: Int32Array, hash: number, now: number): number {
    const { entries } = this.own;
    let oldest = 0;
    let oldestMs = -1;
    for (let step = 0; step < WAYS; step++) {
      const slot = slotOf(hash, this.setMask, step);
      const at = slot * Entry.WORDS;
      const isFree = entries[at + Entry.BUCKET] === 0;
      if (!isFree && isKey(entries, at, key)) return slot;
      const idle = isFree ? TIME_MODULO : idleSince(entries[at + Entry.SEEN] as number, now);
      if (idle <= oldestMs) continue;
      oldest = slot;
      oldestMs = idle;
    }
    if (oldestMs <= this.idleMs) this.evicted++;
    return oldest;
  }
}

/** Slot number `step` of the set that a hash belongs to, counted from its favourite place. */
function slotOf(hash: number, setMask: number, step: number): number {
  return ((hash & setMask) << WAY_BITS) | (((hash >>> WAY_SHIFT) + step) & (WAYS - 1));
}

/** Written out for IPv4, whose look-up this is most of. */
function isKey(entries: Int32Array, at: number, key: Int32Array): boolean {
  if (
    entries[at + Entry.KEY + FLOW_KEY.PROTOCOL] !== key[FLOW_KEY.PROTOCOL] ||
    entries[at + Entry.KEY + FLOW_KEY.PORTS] !== key[FLOW_KEY.PORTS] ||
    entries[at + Entry.KEY + FLOW_KEY.LOWER] !== key[FLOW_KEY.LOWER] ||
    entries[at + Entry.KEY + FLOW_KEY.UPPER] !== key[FLOW_KEY.UPPER]
  ) {
    return false;
  }
  if (isShort(key)) return true;
  for (let word = FLOW_KEY.REST; word < FLOW_KEY.WORDS; word++) {
    if (entries[at + Entry.KEY + word] !== key[word]) return false;
  }
  return true;
}

function isKeyShared(entries: Int32Array, at: number, key: Int32Array): boolean {
  const count = isShort(key) ? FLOW_KEY.REST : FLOW_KEY.WORDS;
  for (let word = 0; word < count; word++) {
    if (Atomics.load(entries, at + Entry.KEY + word) !== key[word]) return false;
  }
  return true;
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
