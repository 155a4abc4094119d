/**
 * Which buckets' replicas are in this node's kernel, where they stay out of it until their bucket
 * comes (`sync.replicas: cold`).
 *
 *      OUT --wanted--> COMING --all created--> IN --not wanted for a while--> GOING --> OUT
 *                        '<---------------------wanted again-------------------'
 *
 * Wanted is a bucket that this node has claimed, or will claim. The ranges layer leases it, or
 * claims it from a living owner, once it is IN: until then its packets belong to flows that this
 * kernel does not know, TCP's would be INVALID, and a translated flow would get another port.
 *
 * What is given up lingers as a warm replica would, so that the last words about it are heard, and
 * is then deleted. Both at a bounded rate: buckets that are claimed first, each in one go, so that
 * it can be leased while the others are on their way.
 *
 * Some records never stay out (`mayBeOut`): those whose packets would name another bucket than
 * their flow's if the kernel did not know them.
 */
import { DELETES_PER_TURN, INSTALLS_PER_TURN, UNWANTED_MS } from "../limits.js";
import { addBucket, type Bitmap, bucketsOf, emptyBitmap, hasBucket } from "../ranges/bitmap.js";
import type { KernelOp } from "./output.js";
import type { Replicated } from "./record.js";
import type { Entry, FlowTable } from "./table.js";

const OUT = 0;
const COMING = 1;
const IN = 2;
const GOING = 3;

/** Buckets on their way, in order, with the keys that are left of each; null: it has not begun. */
type Way = Map<number, string[] | null>;

export interface ResidenceReport {
  /** Buckets whose flows are all in the kernel, and those that are on their way in or out. */
  readonly in: number;
  readonly coming: number;
  readonly going: number;
}

export class Residence {
  readonly counters = { installed: 0, uninstalled: 0 };
  private readonly states: Uint8Array;
  private coming: Way = new Map();
  private readonly going: Way = new Map();
  /** Since when buckets that are IN or COMING are not wanted. */
  private readonly unwanted = new Map<number, number>();
  private hasNews = true;
  /** Of the last {@link want}. */
  private ticket = 0;

  /** @param kernel changes the kernel's table */
  constructor(
    private readonly table: FlowTable,
    private readonly kernel: (op: "create" | "delete", entry: Entry) => void,
    private readonly buckets: number,
  ) {
    this.states = new Uint8Array(buckets);
  }

  /** Whether what may be out of this bucket is, or goes. */
  isOut(bucket: number): boolean {
    return this.states[bucket] === OUT || this.states[bucket] === GOING;
  }

  isIn(bucket: number): boolean {
    return this.states[bucket] === IN;
  }

  /** Whether this is not for the kernel, of a record that may be out. */
  refuses(op: KernelOp, { bucket }: Replicated): boolean {
    return op === "delete" ? this.states[bucket] === OUT : this.isOut(bucket);
  }

  /** Whether a bucket is on its way in or out, or will be. */
  get isUnderWay(): boolean {
    return this.coming.size > 0 || this.going.size > 0 || this.unwanted.size > 0;
  }

  /** Whether flows wait to be created. */
  get isInstalling(): boolean {
    return this.coming.size > 0;
  }

  /**
   * @param claimed buckets that wait for their lease, or have it
   * @param planned those that are to be claimed from others
   * @param ticket goes back with the answer
   */
  want(claimed: Bitmap, planned: Bitmap, ticket: number, now: number): void {
    this.ticket = ticket;
    this.hasNews = true;
    const before = this.coming;
    this.coming = new Map();
    for (const bucket of [...bucketsOf(claimed), ...bucketsOf(planned)]) {
      this.unwanted.delete(bucket);
      this.going.delete(bucket);
      if (this.states[bucket] === IN) continue;
      this.states[bucket] = COMING;
      this.coming.set(bucket, before.get(bucket) ?? null);
    }
    for (const [bucket, left] of before) {
      if (!this.coming.has(bucket)) this.coming.set(bucket, left);
    }
    for (let bucket = 0; bucket < this.buckets; bucket++) {
      const isWanted = hasBucket(claimed, bucket) || hasBucket(planned, bucket);
      if (isWanted || this.isOut(bucket) || this.unwanted.has(bucket)) continue;
      this.unwanted.set(bucket, now);
    }
  }

  /** The kernel has flows of this bucket from before; if they may be out, they go. */
  onFound(bucket: number): void {
    if (this.states[bucket] !== OUT) return;
    this.states[bucket] = GOING;
    this.going.set(bucket, null);
  }

  /** Goes on with what is on its way. */
  onTurn(now: number): void {
    for (const [bucket, sinceMs] of this.unwanted) {
      if (now - sinceMs < UNWANTED_MS) break;
      this.unwanted.delete(bucket);
      this.coming.delete(bucket);
      this.states[bucket] = GOING;
      this.going.set(bucket, null);
      this.hasNews = true;
    }
    this.moveOn(this.coming, IN, INSTALLS_PER_TURN, (entry) => this.install(entry, now));
    this.moveOn(this.going, OUT, DELETES_PER_TURN, (entry) => this.uninstall(entry));
  }

  /** The ranges layer begins anew: it knows of no bucket that is usable. */
  forget(): void {
    this.hasNews = true;
  }

  /** The buckets that are IN, or null when nothing has changed. */
  change(): { readonly buckets: Bitmap; readonly ticket: number } | null {
    if (!this.hasNews) return null;
    this.hasNews = false;
    const buckets = emptyBitmap(this.buckets);
    for (const [bucket, state] of this.states.entries()) {
      if (state === IN) addBucket(buckets, bucket);
    }
    return { buckets, ticket: this.ticket };
  }

  report(): ResidenceReport {
    const isIn = this.states.filter((state) => state === IN).length;
    return { in: isIn, coming: this.coming.size, going: this.going.size };
  }

  private moveOn(way: Way, end: number, most: number, move: (entry: Entry) => void): void {
    let room = most;
    for (const [bucket, begun] of way) {
      const keys = begun ?? this.table.keysOf(bucket);
      way.set(bucket, keys);
      for (const key of keys.splice(0, room)) {
        const entry = this.table.get(key);
        if (entry?.bucket !== bucket || !entry.mayBeOut) continue;
        move(entry);
        room -= 1;
      }
      if (keys.length > 0) return;
      way.delete(bucket);
      this.states[bucket] = end;
      this.hasNews = true;
    }
  }

  private install(entry: Entry, now: number): void {
    entry.seenMs = now; // a dump that is under way may have passed its place
    this.kernel("create", entry);
    this.counters.installed += 1;
  }

  /** What this kernel knew of it says nothing of what becomes of it elsewhere. */
  private uninstall(entry: Entry): void {
    entry.isOver = false;
    entry.lostMs = Number.NaN;
    this.kernel("delete", entry);
    this.counters.uninstalled += 1;
  }
}
