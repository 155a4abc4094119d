/**
 * Changes that wait for their coalescing window, so that a flow that is born and dies within it
 * costs nothing on the wire, and a flow that changes often is told of once.
 *
 *      born .... changed .... changed .... window over: told as it is now
 *      born .... gone: never told
 *
 * Flows without a reply wait longer: most are scans, floods and lost packets. All flows of one
 * queue wait equally long, so it is in the order in which they fall due; one that gets its reply
 * late goes to the end of the other queue, which costs it at most one window more.
 *
 * Urgent records do not wait at all; a master goes before what it expects. What could not be told
 * when it was due, since a peer's word is newer, waits from then on as if it had just come.
 */
import { YOUNG_MAX } from "../limits.js";
import type { Replicated } from "./record.js";
import { rankOf } from "./record.js";

export interface Waiting {
  readonly record: Replicated;
  readonly sinceMs: number;
  /** When the kernel last spoke of it. */
  readonly seenMs: number;
}

const NONE: readonly [string, Waiting][] = [];

export class Young {
  /** Flows that were not told of because too many waited. */
  dropped = 0;
  private readonly urgent = new Map<string, Waiting>();
  private readonly replied = new Map<string, Waiting>();
  private readonly unreplied = new Map<string, Waiting>();
  private readonly postponed = new Map<string, Waiting>();

  constructor(
    private readonly windowMs: number,
    private readonly unrepliedMs: number,
    private readonly max = YOUNG_MAX,
  ) {}

  get size(): number {
    const { urgent, replied, unreplied, postponed } = this;
    return urgent.size + replied.size + unreplied.size + postponed.size;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  get(key: string): Waiting | undefined {
    const { urgent, replied, unreplied, postponed } = this;
    return urgent.get(key) ?? replied.get(key) ?? unreplied.get(key) ?? postponed.get(key);
  }

  /** A record is now so; it waits since it was first set. @param seenMs see {@link Waiting} */
  set(key: string, record: Replicated, now: number, seenMs = now): void {
    const known = this.get(key);
    if (!known && !this.hasRoom()) return;
    const waiting = { record, sinceMs: known?.sinceMs ?? now, seenMs };
    this.postponed.delete(key);
    if (this.urgent.has(key)) this.urgent.set(key, waiting);
    else if (rankOf(record) === "unreplied") this.unreplied.set(key, waiting);
    else {
      this.unreplied.delete(key);
      this.replied.set(key, waiting);
    }
  }

  /**
   * Waits for the next {@link due}, and then once more for the window. The kernel has not spoken of
   * it again by that: if its end was missed, the kernel's table shows it.
   */
  postpone(key: string, record: Replicated, now: number, seenMs: number): void {
    if (this.hasRoom()) this.postponed.set(key, { record, sinceMs: now, seenMs });
  }

  /** What waits under this key waits no longer. */
  hasten(key: string): void {
    const waiting = this.get(key);
    if (!waiting) return;
    this.delete(key);
    this.urgent.set(key, waiting);
  }

  delete(key: string): void {
    for (const waiting of this.all()) waiting.delete(key);
  }

  clear(): void {
    for (const waiting of this.all()) waiting.clear();
  }

  /** When the first window is over; Infinity: nothing waits. */
  get dueMs(): number {
    if (this.urgent.size > 0) return Number.NEGATIVE_INFINITY;
    const replied = firstOf(this.replied) + this.windowMs;
    return Math.min(replied, firstOf(this.unreplied) + this.unrepliedMs);
  }

  /** Those whose window is over, by key. */
  due(now: number): Iterable<[string, Waiting]> {
    if (this.size === 0) return NONE;
    for (const [key, { record, seenMs }] of this.postponed) this.set(key, record, now, seenMs);
    return this.dueOfAll(now);
  }

  private *dueOfAll(now: number): Generator<[string, Waiting]> {
    yield* dueOf(this.urgent, now);
    yield* dueOf(this.replied, now - this.windowMs);
    yield* dueOf(this.unreplied, now - this.unrepliedMs);
  }

  /** Keys and records of one bucket, whatever their age. */
  *of(isMeant: (bucket: number) => boolean): Generator<[string, Replicated]> {
    for (const waiting of this.all()) {
      for (const [key, { record }] of waiting) if (isMeant(record.bucket)) yield [key, record];
    }
  }

  /** Forgets what was not heard of after `sinceMs` and is not in the kernel: its end was missed. */
  keepOnly(present: ReadonlySet<string>, sinceMs: number): void {
    for (const waiting of this.all()) {
      for (const [key, { seenMs }] of waiting) {
        if (seenMs <= sinceMs && !present.has(key)) waiting.delete(key);
      }
    }
  }

  private all(): Map<string, Waiting>[] {
    return [this.urgent, this.replied, this.unreplied, this.postponed];
  }

  private hasRoom(): boolean {
    if (this.size < this.max) return true;
    this.dropped += 1;
    const oldest = this.unreplied.keys().next().value;
    if (oldest === undefined) return false;
    this.unreplied.delete(oldest);
    return true;
  }
}

function firstOf(waiting: Map<string, Waiting>): number {
  for (const { sinceMs } of waiting.values()) return sinceMs;
  return Number.POSITIVE_INFINITY;
}

function* dueOf(waiting: Map<string, Waiting>, sinceMs: number): Generator<[string, Waiting]> {
  for (const [key, entry] of waiting) {
    if (entry.sinceMs > sinceMs) return;
    yield [key, entry];
  }
}
