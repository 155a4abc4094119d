/**
 * The kernel's expectations as records. The kernel does not say which bucket one belongs to: it is
 * the bucket of the master, looked up once and remembered until the expectation goes, since the
 * master may go first.
 *
 * The look-up is one request to the kernel per expectation, which a client and a server have had to
 * agree on over a connection that is already let in. The number that is remembered is bounded; what
 * is beyond is counted, and stays with this node.
 */
import type { ExpectationRecord } from "../../kernel/conntrack/record.js";
import type { ConntrackTable } from "../../kernel/conntrack/table.js";
import type { MarkField } from "../../state/mark-field.js";
import type { Expectation } from "../flows/record.js";
import { keyOf } from "../flows/record-wire.js";
import { EXPECTATIONS_MAX } from "../limits.js";
import { expectationOf } from "./convert-expectation.js";

/** No bucket: the expectation is not the cluster's. */
const NONE = -1;

interface Known {
  readonly bucket: number;
  /** Dumps begun when the kernel last told of it. */
  readonly dump: number;
}

export class KernelExpectations {
  /** Expectations that found no room. */
  refused = 0;
  private readonly known = new Map<string, Known>();
  private dump = 0;

  constructor(
    private readonly table: ConntrackTable,
    private readonly field: MarkField,
    private readonly max = EXPECTATIONS_MAX,
  ) {}

  /** An expectation that the kernel has; null if it is not replicated. */
  alive(record: ExpectationRecord): Expectation | null {
    const expectation = expectationOf(record, 0);
    const key = keyOf(expectation);
    const known = this.known.get(key);
    if (!known && this.known.size >= this.max) {
      this.refused += 1;
      return null;
    }
    const bucket = known?.bucket ?? this.bucketOf(record);
    if (bucket === NONE) return null;
    this.known.set(key, { bucket, dump: this.dump });
    return { ...expectation, bucket };
  }

  /** An expectation that the kernel no longer has; null if it was not told of before. */
  gone(record: ExpectationRecord): Expectation | null {
    const expectation = expectationOf(record, 0);
    const key = keyOf(expectation);
    const known = this.known.get(key);
    this.known.delete(key);
    return known === undefined ? null : { ...expectation, bucket: known.bucket };
  }

  /** The kernel's whole table is about to be told, by {@link alive}. */
  startDump(): void {
    this.dump += 1;
  }

  /** It was: what was not in it, and has not come since, is gone. */
  endDump(): void {
    for (const [key, { dump }] of this.known) if (dump < this.dump) this.known.delete(key);
  }

  private bucketOf({ master }: ExpectationRecord): number {
    let bucket = NONE;
    this.table.find(master, ({ mark }) => {
      bucket = this.field.bucketOf(mark);
    });
    return bucket;
  }
}
