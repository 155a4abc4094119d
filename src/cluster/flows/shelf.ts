/**
 * The table, its tombstones and the way to the kernel, as both sides of replication use them: what
 * is put here is accounted for in digests, and what goes leaves a tombstone.
 */
import type { FlowOutput, KernelOp } from "./output.js";
import { isPackedAlike } from "./packed.js";
import { isTranslatedAlike, type Replicated } from "./record.js";
import { keyOf } from "./record-wire.js";
import { Residence } from "./residence.js";
import type { FlowSettings } from "./settings.js";
import { type Entry, FlowTable } from "./table.js";
import { Tombstones } from "./tombstones.js";
import { goesBefore, twinKeyOf } from "./twins.js";
import type { Version } from "./version.js";

export class Shelf {
  readonly table: FlowTable;
  readonly tombstones = new Tombstones();
  /** Keys of flows of the table whose old translation the kernel still has to say is gone. */
  readonly replaced = new Set<string>();
  /** Null: all replicas are in the kernel. */
  readonly residence: Residence | null;

  constructor(
    private readonly settings: FlowSettings,
    readonly out: (output: FlowOutput) => void,
    private readonly onEvict: (entry: Entry, now: number) => void,
  ) {
    const { buckets, flowsMax, mayBeOut } = settings;
    this.table = new FlowTable(buckets, flowsMax, mayBeOut);
    const change = (op: KernelOp, entry: Entry) => this.change(op, entry.record);
    this.residence = mayBeOut && new Residence(this.table, change, buckets);
  }

  /** Puts a record; null when the table has no room for it. */
  put(key: string, record: Replicated, version: Version, now: number): Entry | null {
    this.tombstones.delete(key);
    const entry = this.table.put(key, record, version, now, (each) => this.onEvict(each, now));
    // It may have been told of its twin before, and have the twin's bucket in its kernel since.
    const twinKey = entry && this.twinOf(record);
    if (twinKey !== null && goesBefore(key, twinKey)) this.kernel("update", record);
    return entry;
  }

  /** Takes a record away, or only notes that it is gone; `version` is that of the removal. */
  bury(entry: Entry, version: Version, now: number): void {
    this.table.remove(entry);
    this.tombstones.set(entry.key, { bucket: entry.bucket, version, atMs: now });
  }

  /** Makes the kernel have `record` for `before`, which it may have translated otherwise. */
  replace(before: Replicated, record: Replicated): void {
    if (isTranslatedAlike(before, record)) return this.kernel("update", record);
    this.replaced.add(keyOf(record));
    this.kernel("delete", before);
    this.kernel("create", record);
  }

  /** A replica that this node let in itself once may be translated as no other node has it. */
  match(inKernel: Replicated, entry: Entry): void {
    if (!isPackedAlike(entry.packed, inKernel)) this.replace(inKernel, entry.record);
  }

  /** A helper in this kernel has not seen what the flow carried while its bucket was foreign. */
  arm({ record }: Entry): void {
    if (record.kind === "flow" && record.helper !== "") this.kernel("arm", record);
  }

  /** Asks for a change of the local kernel's table, unless the record is to stay out of it. */
  kernel(op: KernelOp, record: Replicated): void {
    const mayBeOut = this.settings.mayBeOut?.(record) ?? false;
    if (mayBeOut && this.residence?.refuses(op, record)) return;
    this.change(op, record);
  }

  /** The same, whatever is to stay out, if the filters let this node touch the flow. */
  change(op: KernelOp, record: Replicated): void {
    const twinKey = this.twinOf(record);
    if (twinKey !== null && !goesBefore(keyOf(record), twinKey)) return;
    if (this.settings.isWanted(record)) this.out({ kind: "kernel", op, record });
  }

  /** Whether the kernel is meant not to have it; what it says of it then is old. */
  isOut({ mayBeOut, bucket }: Entry): boolean {
    return mayBeOut && this.residence?.isOut(bucket) === true;
  }

  /** Whether the kernel is meant to have it by now. */
  isIn({ mayBeOut, bucket }: Entry): boolean {
    return !mayBeOut || this.residence === null || this.residence.isIn(bucket);
  }

  /** Key of the twin of this flow, where the table has it. */
  private twinOf(record: Replicated): string | null {
    const twinKey = this.settings.isOpenerHashed ? twinKeyOf(record) : null;
    return twinKey !== null && this.table.get(twinKey) ? twinKey : null;
  }
}
