/**
 * Per bucket: whose it is, under which term, and whether its flows here are as its owner has them.
 *
 * The ranges layer decides who owns what; this is what follows for the flows. An owner's claim
 * comes with its digests and sections. Hearing of another owner of a bucket of mine is most often a
 * handover in its moment of overlap, and then the other is right; only where it does not end (after
 * a partition) do I take a new term and insist.
 */
import { CONTEST_MS, LINGER_MS, SETTLE_MS } from "../limits.js";
import {
  type Bitmap,
  bucketsOf,
  countBuckets,
  emptyBitmap,
  hasBucket,
  without,
} from "../ranges/bitmap.js";
import { TERM_MAX } from "./version.js";

export class Ledger {
  owned: Bitmap;
  /** Rises with whatever may change what is ready. */
  changes = 0;
  private readonly terms: Uint32Array;
  private readonly holders: Uint8Array;
  private readonly ownTerms: Uint32Array;
  private readonly good: Uint8Array;
  private readonly releasedMs: Float64Array;
  private readonly touchedMs: Float64Array;
  private readonly contested = new Map<number, number>();

  constructor(
    private readonly node: number,
    private readonly buckets: number,
  ) {
    this.owned = emptyBitmap(buckets);
    this.terms = new Uint32Array(buckets);
    this.holders = new Uint8Array(buckets);
    this.ownTerms = new Uint32Array(buckets);
    this.good = new Uint8Array(buckets);
    this.releasedMs = new Float64Array(buckets).fill(Number.NEGATIVE_INFINITY);
    this.touchedMs = this.releasedMs.slice();
  }

  /** Whether another has claimed a bucket of this node, so that it may have to insist. */
  get isContested(): boolean {
    return this.contested.size > 0;
  }

  /** Takes the own range as it is now; returns what came and what went. */
  change(owned: Bitmap, epoch: number, now: number): { came: number[]; went: number[] } {
    const came = [...bucketsOf(without(owned, this.owned))];
    const went = [...bucketsOf(without(this.owned, owned))];
    this.owned = owned.slice();
    this.changes += 1;
    for (const bucket of came) this.acquire(bucket, epoch);
    for (const bucket of went) {
      this.releasedMs[bucket] = now;
      this.contested.delete(bucket);
    }
    return { came, went };
  }

  get ownsAll(): boolean {
    return countBuckets(this.owned) === this.buckets;
  }

  owns(bucket: number): boolean {
    return hasBucket(this.owned, bucket);
  }

  /** Whether the kernel may still tell of flows that this node let in when it owned the bucket. */
  lingers(bucket: number, now: number): boolean {
    return now - this.releasedMs[bucket] < LINGER_MS;
  }

  /** The term of what this node writes. */
  ownTerm(bucket: number): number {
    return this.ownTerms[bucket];
  }

  /** The highest term heard of. */
  term(bucket: number): number {
    return this.terms[bucket];
  }

  /** Node id of the owner under that term; 0: nobody was heard of. */
  holder(bucket: number): number {
    return this.holders[bucket];
  }

  isHolder(bucket: number, node: number): boolean {
    return this.holders[bucket] === node;
  }

  /** Hears a claim; what is here may now not be what the owner has. */
  hear(bucket: number, term: number, node: number, now: number): void {
    const known = this.terms[bucket];
    const isAbove = term > known || (term === known && node > this.holders[bucket]);
    if (!isAbove) return;
    this.terms[bucket] = term;
    this.holders[bucket] = node;
    this.setGood(bucket, false);
    if (this.owns(bucket)) this.contested.set(bucket, now);
  }

  /** Takes a new term for buckets that another has claimed for too long; returns them. */
  insist(now: number): number[] {
    const insisted: number[] = [];
    for (const [bucket, sinceMs] of this.contested) {
      if (now - sinceMs < CONTEST_MS) continue;
      this.acquire(bucket, 0);
      insisted.push(bucket);
    }
    return insisted;
  }

  /** Notes a change that did not come from the owner: it may not have it yet, or never had. */
  touch(bucket: number, now: number): void {
    this.touchedMs[bucket] = now;
  }

  /** Whether a difference to the owner is more than messages that overtake each other. */
  isSettled(bucket: number, now: number): boolean {
    return now - this.touchedMs[bucket] >= SETTLE_MS;
  }

  isGood(bucket: number): boolean {
    return this.good[bucket] === 1;
  }

  setGood(bucket: number, isGood: boolean): void {
    const good = isGood ? 1 : 0;
    if (this.good[bucket] === good) return;
    this.good[bucket] = good;
    this.changes += 1;
  }

  /** This node ended a flow: where another has claimed the bucket, that one still has it. */
  doubt(bucket: number): void {
    if (!this.isHolder(bucket, this.node)) this.setGood(bucket, false);
  }

  /** Nothing of this node's buckets is known to be right any more. */
  distrust(node: number): void {
    for (let bucket = 0; bucket < this.buckets; bucket++) {
      if (this.holders[bucket] === node) this.setGood(bucket, false);
    }
  }

  /**
   * By bucket, the owner whose flows are here as it has them, of owners for which `isCaughtUp`; 0:
   * there is none.
   */
  ready(isCaughtUp: (node: number) => boolean): Uint8Array {
    return this.holders.map((holder, bucket) =>
      this.good[bucket] === 1 && isCaughtUp(holder) ? holder : 0,
    );
  }

  private acquire(bucket: number, epoch: number): void {
    const term = Math.min(TERM_MAX, Math.max(epoch, this.terms[bucket] + 1));
    this.terms[bucket] = term;
    this.ownTerms[bucket] = term;
    this.holders[bucket] = this.node;
    this.setGood(bucket, false);
    this.contested.delete(bucket);
  }
}
