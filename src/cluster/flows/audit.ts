/**
 * The table against the local kernel's: after events were lost, and where the kernel has dropped a
 * replica that its owner still has.
 *
 * Reading the kernel's table takes time, and events go on meanwhile:
 *
 *      asked ---- flow a ends (event) ---- read: a is in it, b is not ---- flow b begins (event)
 *
 * So of what was read, flows that have ended since are left out, and flows that were heard of since
 * are not taken for gone.
 *
 * A replica that the kernel has dropped is not put back before its owner could have said that the
 * flow is over: who empties the tables of all nodes at once (`conntrack -F`) would find it again,
 * and an heir would take it for alive.
 */
import { DEGRADED } from "../frame/ack.js";
import { DUMP_PATIENCE_MS, RECREATE_EXPECTATION_MS, RECREATE_MS } from "../limits.js";
import type { Author } from "./author.js";
import type { Ledger } from "./ledger.js";
import type { KernelEvent } from "./output.js";
import type { Replicated } from "./record.js";
import { isOver, isTranslatedAlike } from "./record.js";
import { keyOf } from "./record-wire.js";
import type { FlowSettings } from "./settings.js";
import type { Shelf } from "./shelf.js";
import type { Entry } from "./table.js";
import { Unsure } from "./unsure.js";
import { Upkeep } from "./upkeep.js";

/** What is told of the own flows may be out of date. */
export interface Degraded {
  /** Bits of DEGRADED. */
  readonly reasons: number;
  readonly sinceMs: number;
}

export class Audit {
  /** Null: what is told of the own flows is as the kernel has them. */
  degraded: Degraded | null = null;
  /** The last time it was not so, also where that is over already; and how often it was so. */
  last: Degraded | null = null;
  onsets = 0;
  readonly counters = { dumps: 0, eventLosses: 0, missed: 0, recreated: 0, swept: 0, refreshed: 0 };
  private askedMs: number | null = null;
  private mustRepeat = false;
  private readonly endedSince = new Set<string>();
  /** Replicas that the kernel has dropped. */
  private readonly lost = new Set<string>();
  private readonly unsure: Unsure;
  private readonly upkeep: Upkeep | null;

  constructor(
    settings: FlowSettings,
    private readonly shelf: Shelf,
    private readonly ledger: Ledger,
    private readonly author: Author,
    /** Whether what a node tells of its flows may be out of date. */
    private readonly isDegraded: (node: number) => boolean,
  ) {
    this.unsure = new Unsure(shelf, ledger, author);
    this.upkeep = settings.isBlind ? new Upkeep(shelf, ledger) : null;
  }

  /** The kernel's table is to be read: events were lost, or it is the start, or as told to. */
  readAgain(now: number, isLoss: boolean): void {
    if (isLoss) {
      this.counters.eventLosses += 1;
      this.shelf.out({ kind: "event", event: { name: "eventsLost" } });
    }
    this.readAfter(isLoss ? DEGRADED.EVENTS_LOST : DEGRADED.READING, now);
  }

  /** What the kernel says of its table. */
  onEvents(events: readonly KernelEvent[], now: number): void {
    for (const { kind, record } of events) {
      if (kind === "gone") this.onGone(record, now);
      else if (!this.isReplaced(record)) this.onAlive(record, now);
    }
  }

  /** Buckets were given up. */
  onWent(buckets: readonly number[], now: number): void {
    this.upkeep?.onWent(buckets, now);
  }

  /** The kernel's table, all of it. */
  onDump(records: Iterable<Replicated>, now: number): void {
    if (this.askedMs === null) return;
    const askedMs = this.askedMs;
    const present = new Set<string>();
    this.unsure.clear();
    for (const record of records) {
      const key = keyOf(record);
      present.add(key);
      if (!this.isOld(record, key, askedMs)) this.take(record, key, now);
    }
    for (const entry of this.shelf.table.all()) {
      if (entry.seenMs <= askedMs && !present.has(entry.key)) this.onMissing(entry, now);
    }
    this.counters.swept += this.unsure.settle(now);
    this.author.young.keepOnly(present, askedMs);
    this.shelf.replaced.clear();
    this.askedMs = null;
    if (this.mustRepeat) this.ask(now);
    else this.degraded = null;
  }

  /** When something is due: at once while a table is read, or something is to be put back. */
  get dueMs(): number {
    if (this.lost.size > 0 || this.askedMs !== null) return Number.NEGATIVE_INFINITY;
    return this.upkeep?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  onTick(now: number): void {
    if (this.askedMs !== null && now - this.askedMs >= DUMP_PATIENCE_MS) this.ask(now);
    for (const key of this.lost) this.recreate(key, now);
    this.settle(now);
    this.counters.refreshed += this.upkeep?.onTick(now) ?? 0;
  }

  /** Judges what can be judged of what nobody owned yet, while the range is as it is. */
  settle(now: number): void {
    if (this.askedMs === null) this.counters.swept += this.unsure.settle(now);
  }

  /** Whether this is old news of a translation that made room for that of the table. */
  private isReplaced(record: Replicated): boolean {
    if (this.shelf.replaced.size === 0) return false;
    const key = keyOf(record);
    const entry = this.shelf.table.get(key);
    if (!entry || !this.shelf.replaced.has(key)) return false;
    return !isTranslatedAlike(record, entry.record);
  }

  private onAlive(record: Replicated, now: number): void {
    if (isOver(record)) this.noteEnd(keyOf(record), record.bucket);
    this.author.onAlive(record, now);
  }

  private onGone(record: Replicated, now: number): void {
    const key = keyOf(record);
    this.noteEnd(key, record.bucket);
    const entry = this.shelf.table.get(key);
    const known = entry?.record ?? this.author.untold(key);
    // It only made room for another translation of the same flow.
    if (this.shelf.replaced.delete(key) && known && !isTranslatedAlike(record, known)) return;
    if (entry && !this.shelf.isOut(entry)) this.lost.add(key);
    this.author.onGone(key, now);
  }

  /** What was read of the flow, or is being read, may be of before its end. */
  private noteEnd(key: string, bucket: number): void {
    if (this.askedMs !== null) this.endedSince.add(key);
    this.unsure.forget(key, bucket);
  }

  private readAfter(reason: number, now: number): void {
    if (this.degraded === null) this.onsets += 1;
    const { reasons = 0, sinceMs = now } = this.degraded ?? {};
    this.degraded = { reasons: reasons | reason, sinceMs };
    this.last = this.degraded;
    if (this.askedMs === null) this.ask(now);
    else this.mustRepeat = true;
  }

  private ask(now: number): void {
    this.askedMs = now;
    this.mustRepeat = false;
    this.endedSince.clear();
    this.counters.dumps += 1;
    this.shelf.out({ kind: "dump" });
  }

  /** Whether it has ended since, or a peer has told that it goes on and the kernel was told so. */
  private isOld(record: Replicated, key: string, askedMs: number): boolean {
    if (this.endedSince.has(key)) return true;
    const entry = isOver(record) ? this.shelf.table.get(key) : undefined;
    return entry !== undefined && entry.frame < 0 && entry.atMs > askedMs && this.shelf.isIn(entry);
  }

  private take(record: Replicated, key: string, now: number): void {
    const { bucket } = record;
    const entry = this.shelf.table.get(key);
    if (entry && this.shelf.isOut(entry)) return this.shelf.residence?.onFound(bucket);
    const isOwned = this.ledger.owns(bucket);
    if (isOwned || entry || this.ledger.lingers(bucket, now)) this.author.onAlive(record, now, key);
    // Its owner may not have it: a replica whose end was missed would stay for ever.
    else if (!isOver(record)) this.unsure.keep(key, record);
  }

  private onMissing(entry: Entry, now: number): void {
    if (!this.shelf.isIn(entry)) return;
    this.counters.missed += 1;
    if (Number.isNaN(entry.lostMs)) this.author.onGone(entry.key, now);
    this.lost.add(entry.key);
  }

  private recreate(key: string, now: number): void {
    const entry = this.shelf.table.get(key);
    const isLost = entry && !Number.isNaN(entry.lostMs);
    if (isLost && this.mayStillEnd(entry, now)) return;
    this.lost.delete(key);
    if (!isLost || this.ledger.owns(entry.bucket)) return;
    entry.lostMs = Number.NaN;
    this.counters.recreated += 1;
    this.shelf.kernel("create", entry.record);
  }

  /** Whether the owner may be about to say that what the kernel has dropped is over for all. */
  private mayStillEnd({ bucket, record, lostMs }: Entry, now: number): boolean {
    return now - lostMs < patienceMs(record) || this.isDegraded(this.ledger.holder(bucket));
  }
}

/** How long an owner that is well may take to say so. */
function patienceMs(record: Replicated): number {
  return record.kind === "expectation" ? RECREATE_EXPECTATION_MS : RECREATE_MS;
}
