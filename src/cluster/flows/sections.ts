/**
 * Sends whole buckets: all own ones to newcomers, single ones where drift was found. At a bounded
 * rate, one after the other, in the same stream as the changes made meanwhile.
 *
 *      TABLE | SECTION 0  PUT PUT ... END  DIGEST | SECTION 1 ... | DONE
 *
 * Between two ticks flows come and go. Each PUT is of the record as it is when it is sent, and what
 * ended since the section began is left out, so the section is right at its END.
 */
import type { Broadcast } from "../broadcast/broadcast.js";
import { type Bitmap, bucketsOf } from "../ranges/bitmap.js";
import type { Ledger } from "./ledger.js";
import type { Op, PackedPut } from "./ops.js";
import type { Packer } from "./packer.js";
import type { FlowTable } from "./table.js";

export class Sections {
  readonly counters = { tables: 0, sections: 0 };
  private readonly wanted = new Set<number>();
  private current: Generator<Op | PackedPut, void> | null = null;

  constructor(
    private readonly broadcast: Broadcast,
    private readonly table: FlowTable,
    private readonly ledger: Ledger,
    private readonly packer: Packer,
  ) {}

  /** Whether something is being sent or waits to be. */
  get isBusy(): boolean {
    return this.current !== null || this.wanted.size > 0 || this.broadcast.starts.isWanted;
  }

  /** A peer's flows of these buckets differ from ours. */
  ask(buckets: readonly number[]): void {
    for (const bucket of buckets) if (this.ledger.owns(bucket)) this.wanted.add(bucket);
  }

  /** A new incarnation: nobody waits for anything. */
  clear(): void {
    this.wanted.clear();
    this.current = null;
  }

  /** Goes on until `frames` are published in this tick, or nothing is left to send. */
  fill(frames: number): void {
    while (this.packer.frames < frames) {
      this.current ??= this.next();
      if (!this.current) return;
      const step = this.current.next();
      if (step.done) this.current = null;
      else this.packer.add(step.value);
    }
  }

  private next(): Generator<Op | PackedPut, void> | null {
    if (this.broadcast.starts.isWanted) return this.wholeTable();
    for (const bucket of this.wanted) {
      this.wanted.delete(bucket);
      if (this.ledger.owns(bucket)) return this.section(bucket);
    }
    return null;
  }

  private *wholeTable(): Generator<Op | PackedPut, void> {
    this.counters.tables += 1;
    this.packer.flush(); // what is in it comes before the start
    const start = this.broadcast.begin();
    const owned = this.ledger.owned.slice();
    yield { op: "table", start, flows: this.count(owned) };
    for (const bucket of bucketsOf(owned)) {
      if (this.ledger.owns(bucket)) yield* this.section(bucket);
    }
    yield { op: "done", start };
  }

  private *section(bucket: number): Generator<Op | PackedPut, void> {
    this.counters.sections += 1;
    const term = this.ledger.term(bucket);
    const isOurs = () => this.ledger.owns(bucket) && this.ledger.term(bucket) === term;
    yield { op: "section", bucket, term };
    for (const key of this.keysOf(bucket)) {
      const entry = this.table.get(key);
      if (!isOurs()) break;
      if (entry) yield { op: "packed", version: entry.version, packed: entry.packed };
    }
    yield { op: "end", bucket, isWhole: isOurs() };
    if (isOurs()) yield { op: "digest", bucket, term, digest: this.table.digest(bucket) };
  }

  /** Keys of a bucket, masters first: no kernel takes what they expect before them. */
  private keysOf(bucket: number): string[] {
    const keys = this.table.keysOf(bucket);
    const isFollower = (key: string) => this.table.get(key)?.isUrgent === true;
    const followers = keys.filter(isFollower);
    if (followers.length === 0) return keys;
    return [...keys.filter((key) => !isFollower(key)), ...followers];
  }

  private count(buckets: Bitmap): number {
    let flows = 0;
    for (const bucket of bucketsOf(buckets)) flows += this.table.digest(bucket).flows;
    return flows;
  }
}
