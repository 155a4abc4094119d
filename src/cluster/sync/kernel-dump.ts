/** The kernel's whole table, read a piece at a time, so that nothing else waits for it. */
import type { ExpectationRecord, FlowRecord } from "../../kernel/conntrack/record.js";
import { ConntrackTable } from "../../kernel/conntrack/table.js";
import type { MarkField } from "../../state/mark-field.js";
import { pack, unpack } from "../flows/packed.js";
import type { Replicated } from "../flows/record.js";
import { flowOf } from "./convert.js";
import type { KernelExpectations } from "./kernel-expectations.js";

/** Datagrams read in one go, each at most 32 KiB. */
const STEPS_MAX = 16;

export class KernelDump {
  /** A dump occupies its socket until its end. */
  private readonly table = new ConntrackTable();
  private steps: Iterator<undefined> | null = null;
  /** Packed: a large table is read whole before it is judged. */
  private found: string[] = [];

  constructor(
    private readonly field: MarkField,
    private readonly expectations: KernelExpectations,
  ) {}

  /** Begins; one that is under way begins anew. */
  start(): void {
    while (this.steps !== null && this.steps.next().done !== true);
    this.found = [];
    this.steps = this.read();
  }

  /** Goes on; the records once it is complete, else null. */
  goOn(): Iterable<Replicated> | null {
    if (this.steps === null) return null;
    for (let step = 0; step < STEPS_MAX; step++) {
      if (this.steps.next().done !== true) continue;
      this.steps = null;
      const { found } = this;
      this.found = [];
      return unpacked(found);
    }
    return null;
  }

  close(): void {
    this.table.close();
  }

  private *read(): Generator<undefined, void> {
    const keep = (record: Replicated | null) => {
      if (record) this.found.push(pack(record));
    };
    const onFlow = (record: FlowRecord) => keep(flowOf(record, this.field));
    const onExpectation = (record: ExpectationRecord) => keep(this.expectations.onDumped(record));
    yield* this.table.dumpSteps(onFlow);
    this.expectations.startDump();
    yield* this.table.dumpExpectationSteps(onExpectation);
    this.expectations.endDump();
  }
}

/** The records one after the other, as often as they are asked for. */
function unpacked(records: readonly string[]): Iterable<Replicated> {
  return {
    *[Symbol.iterator]() {
      for (const record of records) yield unpack(record);
    },
  };
}
