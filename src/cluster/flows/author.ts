/**
 * What this node tells of the flows it owns: kernel events in, ops out.
 *
 *      NEW, UPDATE   --> young --window over--> PUT      (of what a helper expects: at once)
 *      DESTROY, over --> dying --at once------> REMOVE
 *
 * The table changes with the op that tells of it, so it is always what peers were told.
 *
 * Flows of other nodes' buckets are in the local kernel too, as replicas, and their events say
 * nothing new, but for those that this node let in itself (strays.ts). If the new owner has told
 * one of them before, the local kernel takes the translation that it has there.
 */
import type { Ledger } from "./ledger.js";
import { isPackedAlike, pack, saysTheSame } from "./packed.js";
import type { Packer } from "./packer.js";
import { completed } from "./partial.js";
import { isBelow, isOver, isUrgent, lacksAnswer, type Replicated, rankOf } from "./record.js";
import { identityOf, keyOf, masterKeyOf } from "./record-wire.js";
import { Relays } from "./relays.js";
import type { FlowSettings } from "./settings.js";
import type { Shelf } from "./shelf.js";
import { Strays } from "./strays.js";
import type { Entry } from "./table.js";
import { isNewer, type Version } from "./version.js";
import { Young } from "./young.js";

export class Author {
  readonly counters = { told: 0, removed: 0, coalesced: 0, late: 0, relayed: 0 };
  readonly young: Young;
  private readonly dying = new Set<string>();
  readonly strays = new Strays();
  readonly relays: Relays;
  private sequence = 0;

  constructor(
    private readonly settings: FlowSettings,
    private readonly shelf: Shelf,
    private readonly ledger: Ledger,
    private readonly packer: Packer,
  ) {
    this.relays = new Relays(shelf);
    this.young = new Young(settings.windowMs, settings.unrepliedMs);
  }

  /** Changes that wait to be sent. */
  get backlog(): number {
    return this.young.size + this.dying.size + this.strays.lateSize + this.relays.size;
  }

  /** The kernel has this record, now so; parts that have not changed may be missing. */
  onAlive(told: Replicated, now: number, key = keyOf(told)): void {
    // A flow that leaves the filters ends for the peers, whatever becomes of it here.
    if (isOver(told) || !this.settings.isWanted(told)) return this.onEnd(key, true, now);
    const entry = this.shelf.table.get(key);
    const young = this.young.get(key)?.record;
    if (entry) {
      entry.seenMs = now;
      entry.lostMs = Number.NaN;
      entry.isOver = false;
    }
    if (!this.ledger.owns(told.bucket)) {
      if (entry && !this.shelf.isOut(entry)) this.shelf.match(told, entry);
      return this.onStray(key, completed(told, this.strays.get(key) ?? entry?.record), entry, now);
    }
    const isKnown = entry !== undefined && !this.dying.has(key);
    const record = completed(told, young ?? (isKnown ? entry.record : undefined));
    if (isKnown && saysTheSame(entry.packed, pack(record))) {
      this.young.delete(key);
    } else {
      this.young.set(key, record, now);
      if (!entry && isUrgent(record)) this.hasten(key, record);
    }
  }

  private onStray(key: string, record: Replicated, entry: Entry | undefined, now: number): void {
    if (this.ledger.lingers(record.bucket, now)) {
      if (!entry || lacksAnswer(entry.record, record)) this.strays.addLate(key, record);
    } else if (!entry) this.strays.addEarly(key, record, now);
  }

  /**
   * Tells of a flow at once, since somebody waits for that.
   * @returns the frame it was told in; null where there is nothing to wait for
   */
  tellNow(record: Replicated, now: number): number | null {
    if (isOver(record) || !this.settings.isWanted(record)) return null;
    if (!this.ledger.owns(record.bucket)) return null;
    const key = keyOf(record);
    if (this.dying.delete(key)) this.end(key, now);
    const known = this.shelf.table.get(key);
    if (known) return known.frame < 0 ? null : known.frame; // below 0: a peer told of it
    const sinceMs = this.young.get(key)?.sinceMs ?? now;
    this.young.delete(key);
    const entry = this.put(key, record, now);
    if (!entry) return null;
    entry.sinceMs = sinceMs;
    this.packer.isUrgent = true;
    return entry.frame;
  }

  /** The kernel no longer has this record. */
  onGone = (key: string, now: number): void => this.onEnd(key, false, now);

  /** What this node let in, and has not told yet. */
  untold(key: string): Replicated | undefined {
    return this.young.get(key)?.record ?? this.strays.get(key);
  }

  /** Does not tell that any more: another node has. */
  forget(key: string): void {
    this.young.delete(key);
    this.strays.delete(key);
  }

  /** Buckets were taken: what ended, or was let in, while they were foreign is told now. */
  onCame(buckets: readonly number[], now: number): void {
    for (const [key, { record, atMs }] of this.strays.takeEarly(new Set(buckets), now)) {
      this.young.set(key, record, atMs);
    }
    for (const bucket of buckets) {
      for (const key of this.shelf.table.keysOf(bucket)) {
        const entry = this.shelf.table.get(key) as Entry;
        this.shelf.arm(entry);
        if (entry.isOver || !Number.isNaN(entry.lostMs)) this.dying.add(key);
      }
    }
  }

  /** Buckets were given up: their flows do not wait for the window any more. */
  onWent(buckets: readonly number[]): void {
    const went = new Set(buckets);
    for (const [key, record] of [...this.young.of((bucket) => went.has(bucket))]) {
      this.young.delete(key);
      this.strays.addLate(key, record);
    }
  }

  /** Tells what is due, in at most `frames` frames or a little more; the rest waits. */
  tell(frames: number, now: number): void {
    const mayGoOn = () => this.packer.frames < frames;
    this.counters.relayed += this.relays.size;
    for (const op of this.relays.take()) this.packer.add(op);
    for (const key of this.dying) {
      if (!mayGoOn()) return;
      this.dying.delete(key);
      this.end(key, now);
    }
    for (const [key, record] of this.strays.takeLate()) {
      if (!mayGoOn()) return this.strays.addLate(key, record);
      this.counters.late += 1;
      this.put(key, record, now);
    }
    for (const [key, { record, seenMs, sinceMs }] of this.young.due(now)) {
      if (!mayGoOn()) return;
      this.young.delete(key);
      const entry = this.put(key, record, now, seenMs);
      if (!entry) continue;
      entry.seenMs = seenMs;
      entry.sinceMs = Math.min(entry.sinceMs, sinceMs);
    }
  }

  /** An own record had to make room: the peers' tables are as full, and must not differ. */
  onEvicted({ key, bucket }: Entry, now: number): void {
    const version = this.nextVersion(bucket);
    this.shelf.tombstones.set(key, { bucket, version, atMs: now });
    this.packer.add({ op: "remove", version, identity: identityOf(key, bucket) });
  }

  /** A new incarnation tells all anew; only what waits for its window is kept. */
  restart(): void {
    this.relays.clear();
    this.strays.restart();
  }

  private hasten(key: string, record: Replicated): void {
    const master = masterKeyOf(record);
    if (master !== null) this.young.hasten(master);
    this.young.hasten(key);
  }

  private onEnd(key: string, isRemembered: boolean, now: number): void {
    const entry = this.shelf.table.get(key);
    const wasWaiting = this.young.has(key);
    this.forget(key);
    if (!entry) {
      if (wasWaiting) this.counters.coalesced += 1;
      return;
    }
    if (this.shelf.isOut(entry)) return;
    // Noted also where the end is told: the bucket may be given up, and taken again, before it is.
    if (isRemembered) entry.isOver = true;
    else entry.lostMs = now;
    if (this.ledger.owns(entry.bucket)) this.dying.add(key);
  }

  private end(key: string, now: number): void {
    const entry = this.shelf.table.get(key);
    // Given up in the meantime: whether it is over is for the new owner to say.
    if (!entry || !this.ledger.owns(entry.bucket)) return;
    const version = this.nextVersion(entry.bucket);
    this.shelf.bury(entry, version, now);
    this.ledger.doubt(entry.bucket);
    this.packer.add({ op: "remove", version, identity: identityOf(key, entry.bucket) });
    this.counters.removed += 1;
  }

  /** @param seenMs when the kernel last spoke of it */
  private put(key: string, record: Replicated, now: number, seenMs = now): Entry | null {
    const version = this.nextVersion(record.bucket);
    const present = this.shelf.table.get(key);
    const known = present ?? this.shelf.tombstones.find(key);
    if (known && !isNewer(version, known.version)) {
      // Another owner was first. If it has ended the flow, nobody will say so again.
      if (this.mayStillWin(record, present)) this.young.postpone(key, record, now, seenMs);
      else if (!present) this.shelf.kernel("delete", record);
      // It changes no table where the other's word is known; it says how far the flow has come.
      else if (lacksAnswer(present.record, record)) this.packer.add({ op: "put", version, record });
      else this.shelf.match(record, present);
      return null;
    }
    const entry = this.shelf.put(key, record, version, now);
    if (!entry) return null;
    entry.frame = this.packer.add({ op: "packed", version, packed: entry.packed });
    this.counters.told += 1;
    if (!this.ledger.owns(record.bucket)) this.ledger.touch(record.bucket, now);
    return entry;
  }

  /** Whether the bucket is given up by one of its two owners, or our term will be above. */
  private mayStillWin(record: Replicated, present: Entry | undefined): boolean {
    const { bucket } = record;
    if (!this.ledger.owns(bucket)) return false;
    if (!present) return true;
    const isContested = !this.ledger.isHolder(bucket, this.settings.node);
    const isLess = isBelow(rankOf(record), present.rank);
    if (!isContested || isLess) return false;
    return !isPackedAlike(present.packed, record) || lacksAnswer(present.record, record);
  }

  private nextVersion(bucket: number): Version {
    this.sequence += 1;
    return {
      term: this.ledger.ownTerm(bucket),
      writer: this.settings.node,
      sequence: this.sequence,
    };
  }
}
