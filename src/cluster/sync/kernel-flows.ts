/**
 * The kernel's side of flow replication: its events and its table as records, and what replication
 * wants of the table carried out. Belongs to the sync thread.
 */
import { ConntrackEvents } from "../../kernel/conntrack/events.js";
import { type FlowRecord, newFlow } from "../../kernel/conntrack/record.js";
import { ConntrackTable } from "../../kernel/conntrack/table.js";
import { answerCode } from "../../kernel/request.js";
import type { MarkField } from "../../state/mark-field.js";
import type { KernelOp } from "../flows/output.js";
import type { Flow, Replicated } from "../flows/record.js";
import type { KernelEvent } from "../flows/sync.js";
import { flowOf, writeRecordOf } from "./convert.js";

/** Batches of events read in one go; the rest waits for the next tick. */
const BATCHES_MAX = 64;
/** Datagrams of a dump read in one go, each at most 32 KiB. */
const STEPS_MAX = 16;
const EEXIST = 17;
const ENOENT = 2;

interface Wish {
  readonly op: KernelOp;
  readonly record: Flow;
}

export class KernelFlows {
  /** Operations that the kernel refused, by errno name. */
  readonly refused: Record<string, number> = {};
  private readonly events = new ConntrackEvents();
  private readonly table = new ConntrackTable();
  /** A dump occupies its socket until its end. */
  private readonly dumps = new ConntrackTable();
  private dump: Iterator<undefined> | null = null;
  private dumped: Replicated[] = [];
  private wishes: Wish[] = [];
  private readonly records: FlowRecord[] = [];

  /** @throws OpError, EPERM without CAP_NET_ADMIN */
  constructor(private readonly field: MarkField) {}

  /** Times that the kernel left events out. */
  get overruns(): number {
    return this.events.overruns;
  }

  /** Flows of the cluster that were born, changed or ended since the last call. */
  readEvents(): KernelEvent[] {
    const found: KernelEvent[] = [];
    const visitor = {
      flow: (change: string, record: FlowRecord) => {
        const flow = flowOf(record, this.field);
        if (flow) found.push({ kind: change === "destroy" ? "gone" : "alive", record: flow });
      },
      expectation() {},
    };
    for (let batch = 0; batch < BATCHES_MAX; batch++) {
      if (this.events.receive(visitor, -1, 0) === 0) break;
    }
    return found;
  }

  /** Whether events were lost since the last call. */
  takeLoss(): boolean {
    return this.events.takeLoss();
  }

  /** Begins to read the whole table; one that is under way begins anew. */
  startDump(): void {
    while (this.dump !== null && this.dump.next().done !== true);
    this.dumped = [];
    this.dump = this.dumps.dumpSteps((record) => {
      const flow = flowOf(record, this.field);
      if (flow) this.dumped.push(flow);
    });
  }

  /** Goes on with the dump; its records once it is complete, else null. */
  readDump(): Replicated[] | null {
    if (this.dump === null) return null;
    for (let step = 0; step < STEPS_MAX; step++) {
      if (this.dump.next().done !== true) continue;
      this.dump = null;
      return this.dumped;
    }
    return null;
  }

  /** Notes what is to be done; {@link settle} does it. */
  wish(op: KernelOp, record: Replicated): void {
    if (record.kind === "flow") this.wishes.push({ op, record });
  }

  /** Carries out what was wished for, in its order, equal operations together. */
  settle(): void {
    const { wishes } = this;
    this.wishes = [];
    for (let first = 0; first < wishes.length; ) {
      const op = (wishes[first] as Wish).op;
      let end = first + 1;
      while (end < wishes.length && (wishes[end] as Wish).op === op) end++;
      this.carryOut(op, wishes.slice(first, end));
      first = end;
    }
  }

  close(): void {
    for (const each of [this.events, this.table, this.dumps]) each.close();
  }

  private carryOut(op: KernelOp, wishes: readonly Wish[]): void {
    const records = wishes.map(({ record }, index) => {
      this.records[index] ??= newFlow();
      writeRecordOf(record, this.field, this.records[index]);
      return this.records[index];
    });
    const errnos = this.table[op](records);
    const existing = records.filter((_, index) => op === "create" && errnos[index] === EEXIST);
    for (const errno of errnos) this.count(op, errno);
    if (existing.length === 0) return;
    // The flow has been here before, as a replica or as one that this node let in itself.
    for (const errno of this.table.update(existing)) this.count("update", errno);
  }

  private count(op: KernelOp, errno: number): void {
    const isFine = errno === 0 || (op === "create" && errno === EEXIST);
    // What is to be deleted may have ended by itself: replicas follow their connection to its
    // close.
    if (isFine || (op !== "create" && errno === ENOENT)) return;
    const name = answerCode(errno);
    this.refused[name] = (this.refused[name] ?? 0) + 1;
  }
}
