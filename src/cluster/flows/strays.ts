/**
 * Flows that the local kernel has let in, of buckets that are not this node's as far as is known
 * here:
 *
 *      bucket leased ... here told of it      early: kept until then
 *      bucket given up ... its last flows     late: told at once, under the old term
 *
 * The lease and the range go different ways. A packet can be let in, and its event be read, before
 * the message that the bucket has come.
 */
import { LINGER_MS, YOUNG_MAX } from "../limits.js";
import type { Replicated } from "./record.js";

interface Early {
  readonly record: Replicated;
  readonly atMs: number;
}

export class Strays {
  /** Early ones that had to make room. */
  dropped = 0;
  private readonly early = new Map<string, Early>();
  private readonly late = new Map<string, Replicated>();

  /** @param max early ones that are kept */
  constructor(private readonly max = YOUNG_MAX) {}

  /** Those that are to be told. */
  get lateSize(): number {
    return this.late.size;
  }

  get(key: string): Replicated | undefined {
    return this.late.get(key) ?? this.early.get(key)?.record;
  }

  delete(key: string): void {
    this.late.delete(key);
    this.early.delete(key);
  }

  addLate(key: string, record: Replicated): void {
    this.late.set(key, record);
  }

  addEarly(key: string, record: Replicated, now: number): void {
    this.early.delete(key);
    for (const [oldest, { atMs }] of this.early) {
      const isGone = now - atMs >= LINGER_MS;
      if (!isGone && this.early.size < this.max) break;
      this.early.delete(oldest);
      if (!isGone) this.dropped += 1;
    }
    this.early.set(key, { record, atMs: now });
  }

  /** Takes out what was early for these buckets; older ones were of an owner before. */
  *takeEarly(buckets: ReadonlySet<number>, now: number): Generator<[string, Early]> {
    for (const [key, early] of this.early) {
      if (!buckets.has(early.record.bucket)) continue;
      this.early.delete(key);
      if (now - early.atMs < LINGER_MS) yield [key, early];
    }
  }

  /** Takes out what is late, one by one. */
  *takeLate(): Generator<[string, Replicated]> {
    for (const [key, record] of this.late) {
      this.late.delete(key);
      yield [key, record];
    }
  }

  /** A new incarnation has given nothing up. */
  restart(): void {
    this.late.clear();
  }
}
