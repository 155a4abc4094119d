/**
 * The memory of one shard of the mirror.
 *
 *     shard: one tag per entry, then the entries
 *     tag    the flow's hash, bit 0 set; 0 = never used
 *     entry  word  0        1           2          3..12                 13..15
 *                  version  bucket + 1  seen (ms)  key (see FLOW_KEY)    unused, to 64 bytes
 */

/** Words of an entry. */
export const enum Entry {
  VERSION = 0,
  BUCKET = 1,
  SEEN = 2,
  KEY = 3,
  WORDS = 16,
}

export interface Shard {
  readonly tags: Int32Array;
  /** `Entry.WORDS` for each tag. */
  readonly entries: Int32Array;
}

/** Bytes of a shard of `flows` entries. */
export function shardBytes(flows: number): number {
  return flows * (1 + Entry.WORDS) * 4;
}

/** The shard of `flows` entries that begins at byte `at`. */
export function shardAt(buffer: SharedArrayBuffer, at: number, flows: number): Shard {
  const tags = new Int32Array(buffer, at, flows);
  return { tags, entries: new Int32Array(buffer, at + flows * 4, flows * Entry.WORDS) };
}
