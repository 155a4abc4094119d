/**
 * The lease in the kernel: the leased buckets as elements with a time-out, in one set per family.
 * When nobody renews it, whether the node crashed, hangs or is stopped, the kernel forgets it by
 * itself.
 */
import { MarkField } from "../state/mark-field.js";
import { NetlinkWriter } from "./netlink.js";
import { batch, FAMILY, type MarkRange, replaceMarks } from "./nftables.js";
import { NfTables } from "./request.js";

/** Bytes that one range takes in the two sets, with its two elements each. */
const RANGE_BYTES = 2 * (2 * 16 + 12 + 8 + 8);
const FRAME_BYTES = 1024;

/** Renews or revokes the kernel's lease. Belongs to one thread, as its socket does. */
export class KernelLease {
  private readonly tables = new NfTables();
  private readonly writer: NetlinkWriter;
  private readonly field: MarkField;

  /** @param runsMax most ranges that a node may own */
  constructor(
    private readonly table: string,
    markMask: number,
    runsMax: number,
  ) {
    this.field = new MarkField(markMask);
    this.writer = new NetlinkWriter(FRAME_BYTES + runsMax * RANGE_BYTES);
  }

  /**
   * Leases exactly `runs` (inclusive bucket ranges) for `leaseMs` from now on; without runs nothing
   * is leased.
   * @throws OpError if the kernel refuses; the old lease then still runs out by itself
   */
  renew(runs: readonly (readonly [number, number])[], leaseMs: number): void {
    const marks = runs.map(([first, last]): MarkRange => {
      return [this.field.encode(first), this.field.encode(last)];
    });
    batch(this.writer, () => {
      for (const family of [FAMILY.IPV4, FAMILY.IPV6]) {
        replaceMarks(this.writer, family, this.table, "leased", marks, Math.round(leaseMs));
      }
    });
    this.tables.apply("renew the kernel lease", this.writer, 2);
  }

  revoke(): void {
    this.renew([], 0);
  }

  close(): void {
    this.tables.close();
  }
}
