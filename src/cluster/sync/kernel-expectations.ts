/**
 * The kernel's expectations as records. The kernel does not say which bucket one belongs to: it is
 * the bucket of the master, which is looked up, and remembered until the expectation goes, since
 * the master may go first.
 *
 * The master is told with it as it is now. When a helper rewrites an address in the payload, the
 * sequence numbers of the master shift, and no event says so (nf_ct_seqadj_set in
 * nf_conntrack_seqadj.c); but helpers rewrite when they announce. The event of the announcement
 * may be read before the shift is noted, therefore the master is looked at once more at its end.
 *
 * A look-up is one request to the kernel, for something that a client and a server have had to
 * agree on over a connection that is already let in. The number that is remembered is bounded; what
 * is beyond is counted, and stays with this node.
 */
import { type ExpectationRecord, newExpectation } from "../../kernel/conntrack/record.js";
import type { ConntrackTable } from "../../kernel/conntrack/table.js";
import type { MarkField } from "../../state/mark-field.js";
import type { KernelEvent, KernelOp } from "../flows/output.js";
import type { Expectation, Flow } from "../flows/record.js";
import { keyOf } from "../flows/record-wire.js";
import { EXPECTATIONS_MAX } from "../limits.js";
import { flowOf } from "./convert.js";
import { expectationOf, writeExpectation } from "./convert-expectation.js";

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

  /**
   * Puts them into the kernel or takes them out; one that has changed is made anew: few ever do.
   * @param count told what became of each
   */
  change(
    op: KernelOp,
    expectations: readonly Expectation[],
    count: (op: KernelOp, errno: number) => void,
  ): void {
    const records = expectations.map((each) => {
      const record = newExpectation();
      writeExpectation(each, record);
      return record;
    });
    if (op !== "create") {
      for (const errno of this.table.deleteExpectations(records)) count("delete", errno);
    }
    if (op === "delete") return;
    for (const errno of this.table.createExpectations(records)) count("create", errno);
  }

  /** What an event tells. */
  onEvent(change: string, record: ExpectationRecord): KernelEvent[] {
    const master = this.masterOf(record);
    const events: KernelEvent[] = master ? [{ kind: "alive", record: master }] : [];
    if (change === "destroy") {
      const gone = this.forget(record);
      if (gone) events.push({ kind: "gone", record: gone });
    } else {
      const expectation = this.note(record, master);
      if (expectation) events.push({ kind: "alive", record: expectation });
    }
    return events;
  }

  /** An expectation of the table that is being told; null if it is not replicated. */
  onDumped(record: ExpectationRecord): Expectation | null {
    return this.note(record, this.masterOf(record));
  }

  /** The kernel's whole table is about to be told, by {@link onDumped}. */
  startDump(): void {
    this.dump += 1;
  }

  /** It was: what was not in it, and has not come since, is gone. */
  endDump(): void {
    for (const [key, { dump }] of this.known) if (dump < this.dump) this.known.delete(key);
  }

  private note(record: ExpectationRecord, master: Flow | null): Expectation | null {
    if (master === null) return null; // or it is not the cluster's
    const expectation = expectationOf(record, master.bucket);
    const key = keyOf(expectation);
    if (this.known.size >= this.max && !this.known.has(key)) {
      this.refused += 1;
      return null;
    }
    this.known.set(key, { bucket: master.bucket, dump: this.dump });
    return expectation;
  }

  private forget(record: ExpectationRecord): Expectation | null {
    const expectation = expectationOf(record, 0);
    const key = keyOf(expectation);
    const known = this.known.get(key);
    this.known.delete(key);
    return known === undefined ? null : { ...expectation, bucket: known.bucket };
  }

  private masterOf({ master }: ExpectationRecord): Flow | null {
    let flow: Flow | null = null;
    this.table.find(master, (record) => {
      flow = flowOf(record, this.field);
    });
    return flow;
  }
}
