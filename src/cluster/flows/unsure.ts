/**
 * Flows that the kernel had when nobody was known yet to own their bucket: those of a node that has
 * just started. They cannot be judged at once.
 *
 *      start --- kernel's table read --- peers' tables arrive --- bucket claimed
 *                 unsure                  good: what the owner     owned: the flow is ours to
 *                                         does not have goes       tell of
 *
 * Told of too early, a flow that ended while the node was away would come to life again. Forgotten,
 * it would stay in this kernel for ever, or, where all nodes start at once, in no peer's. And while
 * the table is read again, since events were lost, none is judged: its end may be among them.
 */
import type { Author } from "./author.js";
import type { Ledger } from "./ledger.js";
import { pack, unpack } from "./packed.js";
import type { Replicated } from "./record.js";
import type { Shelf } from "./shelf.js";

export class Unsure {
  /** Flows that found no room; their kernel's time-out ends them. */
  dropped = 0;
  /** Packed records by key, by bucket. */
  private readonly buckets = new Map<number, Map<string, string>>();
  private size = 0;

  constructor(
    private readonly shelf: Shelf,
    private readonly ledger: Ledger,
    private readonly author: Author,
  ) {}

  keep(key: string, record: Replicated): void {
    if (this.size >= this.shelf.table.max) {
      this.dropped += 1;
      return;
    }
    const flows = this.buckets.get(record.bucket) ?? new Map<string, string>();
    this.buckets.set(record.bucket, flows);
    if (!flows.has(key)) this.size += 1;
    flows.set(key, pack(record));
  }

  /** The table was read again: what is in it now is all there is to be unsure of. */
  clear(): void {
    this.buckets.clear();
    this.size = 0;
  }

  /** The kernel says that a flow is no more. */
  forget(key: string, bucket: number): void {
    if (this.buckets.get(bucket)?.delete(key)) this.size -= 1;
  }

  /** Judges what can be judged now; returns how many flows were deleted from the kernel. */
  settle(now: number): number {
    let swept = 0;
    for (const [bucket, flows] of this.buckets) {
      const isOwned = this.ledger.owns(bucket);
      if (!isOwned && !this.ledger.isGood(bucket)) continue;
      for (const [key, packed] of flows) {
        const entry = this.shelf.table.get(key);
        if (isOwned) this.author.onAlive(unpack(packed), now);
        else if (entry === undefined) {
          this.shelf.change("delete", unpack(packed));
          swept += 1;
        } else if (this.shelf.isOut(entry)) this.shelf.residence?.onFound(bucket);
        else this.shelf.match(unpack(packed), entry);
      }
      this.size -= flows.size;
      this.buckets.delete(bucket);
    }
    return swept;
  }
}
