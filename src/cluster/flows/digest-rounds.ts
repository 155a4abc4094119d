/**
 * When which digests are sent: those of buckets just taken at once, since they tell the peers whose
 * the bucket is and under which term, and once more when what was on its way has arrived; the
 * others in a slow round over the whole own range.
 *
 * A digest says nothing to who has heard of a higher term. If its owner died before all heard of
 * it, the heir does not know that term, and would never be listened to. So who is asked to believe
 * an outdated digest says what it knows (CLAIM), and the heir takes a term above that.
 */
import { DIGEST_MS, DIGEST_ROUNDS, DIGESTS_MAX, SETTLE_MS } from "../limits.js";
import { bucketsOf } from "../ranges/bitmap.js";
import type { Ledger } from "./ledger.js";
import type { Packer } from "./packer.js";
import type { FlowTable } from "./table.js";

export class DigestRounds {
  private readonly announced = new Set<number>();
  /** Buckets taken a while ago, and when to tell of them again. */
  private readonly again = new Map<number, number>();
  private nextMs = 0;
  private claimMs = 0;
  private lastBucket = -1;

  constructor(
    private readonly node: number,
    private readonly table: FlowTable,
    private readonly ledger: Ledger,
    private readonly packer: Packer,
  ) {}

  /** When something is due; what was announced is, at once. */
  get dueMs(): number {
    if (this.announced.size > 0) return Number.NEGATIVE_INFINITY;
    for (const atMs of this.again.values()) return Math.min(this.nextMs, atMs);
    return this.nextMs;
  }

  announce(buckets: readonly number[], now: number): void {
    for (const bucket of buckets) {
      this.announced.add(bucket);
      this.again.set(bucket, now + SETTLE_MS + DIGEST_MS);
    }
  }

  /** Sends what is due; of announced ones until `frames` are published in this tick. */
  fill(frames: number, now: number): void {
    for (const [bucket, dueMs] of this.again) {
      if (now < dueMs) continue;
      this.again.delete(bucket);
      this.announced.add(bucket);
    }
    for (const bucket of this.announced) {
      if (this.packer.frames >= frames) return;
      this.announced.delete(bucket);
      this.send(bucket);
    }
    if (now < this.nextMs) return;
    this.nextMs = now + DIGEST_MS;
    for (const bucket of this.round()) this.send(bucket);
  }

  /** Tells of claims above those that were heard, and empties the set. */
  contradict(outdated: Set<number>, now: number): void {
    if (now < this.claimMs || outdated.size === 0) return;
    this.claimMs = now + DIGEST_MS;
    for (const bucket of [...outdated].slice(0, DIGESTS_MAX)) {
      const [term, node] = [this.ledger.term(bucket), this.ledger.holder(bucket)];
      this.packer.add({ op: "claim", bucket, term, node });
    }
    outdated.clear();
  }

  /** The next few own buckets, going around. */
  private round(): number[] {
    const own = [...bucketsOf(this.ledger.owned)];
    const count = Math.min(own.length, DIGESTS_MAX, Math.ceil(own.length / DIGEST_ROUNDS));
    const from = own.findIndex((bucket) => bucket > this.lastBucket);
    const turned = from < 0 ? own : [...own.slice(from), ...own.slice(0, from)];
    const chosen = turned.slice(0, count);
    this.lastBucket = chosen.at(-1) ?? -1;
    return chosen;
  }

  /** Not where another has claimed the bucket: its word counts, not ours. */
  private send(bucket: number): void {
    if (!this.ledger.owns(bucket) || !this.ledger.isHolder(bucket, this.node)) return;
    const digest = this.table.digest(bucket);
    this.packer.add({ op: "digest", bucket, term: this.ledger.term(bucket), digest });
  }
}
