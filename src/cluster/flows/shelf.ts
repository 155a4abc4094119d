/**
 * The table, its tombstones and the way to the kernel, as both sides of replication use them: what
 * is put here is accounted for in digests, and what goes leaves a tombstone.
 */
import type { FlowOutput, KernelOp } from "./output.js";
import type { Replicated } from "./record.js";
import type { FlowSettings } from "./settings.js";
import { type Entry, FlowTable } from "./table.js";
import { Tombstones } from "./tombstones.js";
import type { Version } from "./version.js";

export class Shelf {
  readonly table: FlowTable;
  readonly tombstones = new Tombstones();

  constructor(
    private readonly settings: FlowSettings,
    readonly out: (output: FlowOutput) => void,
    private readonly onEvict: (entry: Entry, now: number) => void,
  ) {
    this.table = new FlowTable(settings.buckets, settings.flowsMax);
  }

  /** Puts a record; null when the table has no room for it. */
  put(key: string, record: Replicated, version: Version, now: number): Entry | null {
    this.tombstones.delete(key);
    return this.table.put(key, record, version, now, (entry) => this.onEvict(entry, now));
  }

  /** Takes a record away, or only notes that it is gone; `version` is that of the removal. */
  bury(entry: Entry, version: Version, now: number): void {
    this.table.remove(entry);
    this.tombstones.set(entry.key, { bucket: entry.bucket, version, atMs: now });
  }

  /** Asks for a change of the local kernel's table, if the filters let this node touch the flow. */
  kernel(op: KernelOp, record: Replicated): void {
    if (this.settings.isWanted(record)) this.out({ kind: "kernel", op, record });
  }
}
