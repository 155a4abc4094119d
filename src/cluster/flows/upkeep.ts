/**
 * Keeps replicas alive whose packets this node's kernel does not see, because they are dropped
 * before connection tracking (dataplane.earlyDrop).
 *
 * Problem: a replica follows its connection by itself only while the kernel sees the packets. When
 * it does not, the kernel's time-out ends it although the flow is busy elsewhere; and a flow that
 * this node has carried keeps the TCP windows of the moment when its bucket went, so that after the
 * way back its packets would be INVALID.
 *
 * Rule: a replica lives as long as its owner has it, and is tolerant of any window.
 * - The owner says when a flow ends or changes, and its digests say what it has. So nothing has to
 *   be sent: each node refreshes its own kernel when a third of the time-out is over.
 * - The flows of a bucket that goes are written at once, and again when its last words have been
 *   heard: an update from here makes them window-tolerant (kernel/conntrack/encode.ts).
 *
 * Both at a bounded rate; what is due waits its turn.
 */
import { LINGER_MS, UPKEEP_LOOKS_PER_TICK, UPKEEP_MS, UPKEEP_PER_TICK } from "../limits.js";
import type { Ledger } from "./ledger.js";
import { timeoutSeconds } from "./record.js";
import type { Shelf } from "./shelf.js";
import type { Entry } from "./table.js";

/** Part of the time-out after which a replica is refreshed. */
const DUE_AFTER = 1 / 3;

export class Upkeep {
  private readonly went: string[] = [];
  private lastWords: { readonly atMs: number; readonly buckets: readonly number[] }[] = [];
  /** A look at all flows, begun at most every UPKEEP_MS; null between two of them. */
  private look: Iterator<Entry> | null = null;
  private lookedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly shelf: Shelf,
    private readonly ledger: Ledger,
  ) {}

  /** When something is due: the next look at all flows, or the next tick. */
  get dueMs(): number {
    const isUnderWay = this.look !== null || this.went.length > 0 || this.lastWords.length > 0;
    return isUnderWay ? Number.NEGATIVE_INFINITY : this.lookedMs + UPKEEP_MS;
  }

  /** Buckets were given up: this node's kernel no longer sees their packets. */
  onWent(buckets: readonly number[], now: number): void {
    if (buckets.length === 0) return;
    this.queue(buckets);
    this.lastWords.push({ atMs: now + 2 * LINGER_MS, buckets });
  }

  /** @returns how many flows were refreshed */
  onTick(now: number): number {
    for (const { buckets } of this.lastWords.filter(({ atMs }) => now >= atMs)) this.queue(buckets);
    this.lastWords = this.lastWords.filter(({ atMs }) => now < atMs);
    const left = this.refreshWent(UPKEEP_PER_TICK, now);
    return UPKEEP_PER_TICK - this.refreshDue(left, now);
  }

  /** @returns how many more may be refreshed now */
  private refreshWent(most: number, now: number): number {
    let left = most;
    for (const key of this.went.splice(0, left)) {
      const entry = this.shelf.table.get(key);
      if (entry && this.refresh(entry, now)) left -= 1;
    }
    return left;
  }

  /** The same for replicas whose time is due. */
  private refreshDue(most: number, now: number): number {
    if (this.look === null && now - this.lookedMs >= UPKEEP_MS) {
      this.look = this.shelf.table.all()[Symbol.iterator]();
      this.lookedMs = now;
    }
    let left = most;
    for (let looks = 0; this.look !== null && left > 0 && looks < UPKEEP_LOOKS_PER_TICK; looks++) {
      const { value: entry, done } = this.look.next();
      if (done === true) this.look = null;
      else if (isDue(entry, now) && this.refresh(entry, now)) left -= 1;
    }
    return left;
  }

  private queue(buckets: readonly number[]): void {
    for (const bucket of buckets) {
      for (const key of this.shelf.table.keysOf(bucket)) this.went.push(key);
    }
  }

  private refresh(entry: Entry, now: number): boolean {
    // Over or lost here: its owner's REMOVE, or the audit, sees to it.
    const isLeft = entry.isOver || !Number.isNaN(entry.lostMs) || this.shelf.isOut(entry);
    if (isLeft || this.ledger.owns(entry.bucket)) return false;
    entry.seenMs = now;
    this.shelf.kernel("update", entry.record);
    return true;
  }
}

function isDue({ timeoutClass, seenMs }: Entry, now: number): boolean {
  return now - seenMs >= timeoutSeconds(timeoutClass) * 1000 * DUE_AFTER;
}
