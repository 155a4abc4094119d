/**
 * Flows that are no more, so that an older statement about one cannot bring it back. Kept for
 * longer than any statement can be on its way; at the bound the oldest is forgotten and counted.
 */
import { TOMBSTONE_MS, TOMBSTONES_MAX } from "../limits.js";
import type { Version } from "./version.js";

export interface Tombstone {
  readonly bucket: number;
  readonly version: Version;
  readonly atMs: number;
}

export class Tombstones {
  /** Forgotten before their time. */
  forgotten = 0;
  /** In the order in which they were set. */
  private readonly stones = new Map<string, Tombstone>();

  constructor(private readonly max = TOMBSTONES_MAX) {}

  get size(): number {
    return this.stones.size;
  }

  find(key: string): Tombstone | undefined {
    return this.stones.get(key);
  }

  set(key: string, stone: Tombstone): void {
    this.stones.delete(key);
    this.stones.set(key, stone);
    if (this.stones.size <= this.max) return;
    this.stones.delete(this.stones.keys().next().value as string);
    this.forgotten += 1;
  }

  delete(key: string): void {
    this.stones.delete(key);
  }

  expire(now: number): void {
    for (const [key, { atMs }] of this.stones) {
      if (now - atMs < TOMBSTONE_MS) return;
      this.stones.delete(key);
    }
  }

  all(): Iterable<[string, Tombstone]> {
    return this.stones;
  }
}
