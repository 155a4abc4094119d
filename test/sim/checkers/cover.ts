/**
 * R2, R3, P3: who accepts which bucket. Every bucket has an owner but for the gap D after a death;
 * planned moves have no gap at all; two owners at once only as long as X once all hear each other.
 */
import type { Output } from "../../../src/cluster/output.js";
import { type Bitmap, emptyBitmap } from "../../../src/cluster/ranges/bitmap.js";
import { gapMs, overlapMs } from "../bounds.js";
import type { Calm } from "../calm.js";
import type { Machine, Process } from "../machine.js";
import type { Plan } from "../plan.js";
import { type Checker, Violation } from "../watch.js";

export class Cover implements Checker {
  readonly invariant = "R2, R3, P3";
  /** Longest gap and overlap so far, milliseconds. */
  longestGapMs = 0;
  /** Bucket-milliseconds that nobody accepted. */
  gapTotalMs = 0;
  private readonly counts: Uint8Array;
  private readonly openSince: Float64Array;
  private readonly sharedSince: Float64Array;
  private readonly sets = new Map<Machine, Bitmap>();
  private readonly none: Bitmap;
  private open: number;
  private shared = 0;
  private readonly gapMax: number;
  private readonly overlapMax: number;

  constructor(
    plan: Plan,
    private readonly calm: Calm,
  ) {
    const { buckets } = plan.settings;
    this.none = emptyBitmap(buckets);
    this.counts = new Uint8Array(buckets);
    this.openSince = new Float64Array(buckets);
    this.sharedSince = new Float64Array(buckets);
    this.open = buckets;
    this.gapMax = gapMs(plan);
    this.overlapMax = overlapMs(plan);
  }

  /** How many machines accept a bucket now. */
  count(bucket: number): number {
    return this.counts[bucket];
  }

  onReach(machine: Machine): void {
    const before = this.sets.get(machine) ?? this.none;
    const after = machine.accepting ?? this.none;
    if (before === after) return;
    this.sets.set(machine, after);
    for (let word = 0; word < after.length; word++) {
      for (let bits = before[word] ^ after[word]; bits !== 0; bits &= bits - 1) {
        const bit = 31 - Math.clz32(bits & -bits);
        this.change(word * 32 + bit, (after[word] >>> bit) & 1);
      }
    }
  }

  /**
   * A range that is given up to nobody is that of a node that stops: one that was cut off and is
   * drained, or one that leaves before all of its range was handed over.
   */
  onOutput(_machine: Machine, _process: Process, output: Output): void {
    if (output.kind !== "event" || output.event.name !== "release") return;
    const { cause } = output.event;
    const isStop = cause === "leave" || (cause === "drain" && this.calm.wasTroubled);
    if (isStop) this.calm.disrupt();
  }

  onTurn(): void {
    if (this.open > 0) {
      this.calm.look();
      for (let bucket = 0; bucket < this.counts.length; bucket++) {
        if (this.counts[bucket] === 0) this.judgeGap(bucket);
      }
    }
    if (this.shared > 0) {
      for (let bucket = 0; bucket < this.counts.length; bucket++) {
        if (this.counts[bucket] > 1) this.judgeOverlap(bucket);
      }
    }
  }

  private change(bucket: number, isMore: number): void {
    const { counts, calm } = this;
    if (isMore === 1) {
      counts[bucket] += 1;
      if (counts[bucket] === 1) this.close(bucket);
      if (counts[bucket] !== 2) return;
      this.shared += 1;
      this.sharedSince[bucket] = calm.now;
    } else {
      counts[bucket] -= 1;
      if (counts[bucket] === 1) this.shared -= 1;
      if (counts[bucket] !== 0) return;
      this.open += 1;
      this.openSince[bucket] = calm.now;
    }
  }

  private close(bucket: number): void {
    this.open -= 1;
    this.judgeGap(bucket);
    const ms = this.calm.now - this.openSince[bucket];
    this.gapTotalMs += ms;
    if (this.calm.desertedMs < this.openSince[bucket]) {
      this.longestGapMs = Math.max(this.longestGapMs, ms);
    }
  }

  private judgeGap(bucket: number): void {
    const { now, disruptedMs, desertedMs } = this.calm;
    const since = this.openSince[bucket];
    const excusedMs = Math.max(disruptedMs, desertedMs);
    if (now > since && excusedMs < since - this.gapMax) {
      throw new Violation("R3", `bucket ${bucket} is unowned, and nobody has died`);
    }
    const ms = now - Math.max(since, excusedMs);
    if (ms <= this.gapMax) return;
    const bound = `D = ${Math.round(this.gapMax)} ms`;
    throw new Violation(
      "R2",
      `bucket ${bucket} has been unowned for ${Math.round(ms)} ms, ${bound}`,
    );
  }

  private judgeOverlap(bucket: number): void {
    const { now, disruptedMs, troubledMs, isLossy } = this.calm;
    if (isLossy) return;
    const ms = now - Math.max(this.sharedSince[bucket], disruptedMs, troubledMs);
    if (ms <= this.overlapMax) return;
    const owners = [...this.sets].filter(
      ([, set]) => ((set[bucket >>> 5] >>> (bucket & 31)) & 1) === 1,
    );
    const names = owners.map(([machine]) => machine.id).join(" and ");
    throw new Violation(
      "P3",
      `nodes ${names} both accept bucket ${bucket} for ${Math.round(ms)} ms`,
    );
  }
}
