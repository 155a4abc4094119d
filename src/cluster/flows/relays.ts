/** What a dead node said last: some may have missed it, and it cannot repeat it, so others do. */
import type { Op, PackedPut } from "./ops.js";
import { identityOf } from "./record-wire.js";
import type { Shelf } from "./shelf.js";

export class Relays {
  private ops: (Op | PackedPut)[] = [];

  constructor(private readonly shelf: Shelf) {}

  get size(): number {
    return this.ops.length;
  }

  /** Notes what node `dead` has said since then. */
  collect(dead: number, sinceMs: number): void {
    const { table, tombstones } = this.shelf;
    for (const { packed, version, atMs } of table.all()) {
      if (version.writer === dead && atMs >= sinceMs) {
        this.ops.push({ op: "packed", version, packed });
      }
    }
    for (const [key, { bucket, version, atMs }] of tombstones.all()) {
      if (version.writer === dead && atMs >= sinceMs) {
        this.ops.push({ op: "remove", version, identity: identityOf(key, bucket) });
      }
    }
  }

  take(): (Op | PackedPut)[] {
    return this.ops.splice(0);
  }

  clear(): void {
    this.ops = [];
  }
}
