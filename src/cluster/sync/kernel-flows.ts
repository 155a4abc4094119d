/**
 * The kernel's side of flow replication: its events and its table as records, and what replication
 * wants of the table carried out. Belongs to the sync thread.
 */
import { constants } from "node:os";
import { EVENT_BUFFER_BYTES_MAX } from "../../config/limits.js";
import { IPS } from "../../kernel/conntrack/constants.js";
import { ConntrackEvents, type EventVisitor } from "../../kernel/conntrack/events.js";
import {
  type ExpectationRecord,
  type FlowRecord,
  newFlow,
  PRESENT,
} from "../../kernel/conntrack/record.js";
import type { SieveSettings } from "../../kernel/conntrack/sieve.js";
import { ConntrackTable } from "../../kernel/conntrack/table.js";
import { answerCode } from "../../kernel/request.js";
import { bootMs } from "../../platform/clock.js";
import type { Watch } from "../../platform/native.js";
import type { MarkField } from "../../state/mark-field.js";
import type { KernelEvent, KernelOp } from "../flows/output.js";
import type { Expectation, Flow, Replicated } from "../flows/record.js";
import { flowOf, withoutHelper, withoutMaster, writeRecordOf } from "./convert.js";
import { KernelDump } from "./kernel-dump.js";
import { KernelExpectations } from "./kernel-expectations.js";

/** Batches of events read in one go; the rest waits for the next tick. */
const BATCHES_MAX = 64;
/** Flows changed in one go: the records they are written to are few, and stay in the cache. */
const GROUP_MAX = 16;
const { ENOENT, EBUSY, EEXIST, EOPNOTSUPP } = constants.errno;

interface Wish {
  readonly op: KernelOp;
  readonly record: Replicated;
}

export class KernelFlows {
  private readonly refusals: Record<string, number> = {};
  /** Replicas whose translated tuple another flow of this kernel has. */
  clashes = 0;
  /** Whether the last {@link readEvents} found any. */
  hasRead = false;
  readonly events: ConntrackEvents;
  private readonly table = new ConntrackTable();
  private readonly expectations: KernelExpectations;
  private readonly dump: KernelDump;
  private wishes: Wish[] = [];
  /** What the next {@link readEvents} gives. */
  private found: KernelEvent[] = [];
  private readonly visitor: EventVisitor = {
    flow: (change: string, record: FlowRecord) => {
      const flow = flowOf(record, this.field);
      if (flow) this.found.push({ kind: change === "destroy" ? "gone" : "alive", record: flow });
    },
    expectation: (change: string, record: ExpectationRecord) =>
      this.found.push(...this.expectations.onEvent(change, record)),
  };
  private readonly records: FlowRecord[] = [];
  private isDumping = false;
  private watch: Watch | null = null;
  private isAwaiting = false;
  private hurryUntilMs = Number.NEGATIVE_INFINITY;

  /**
   * @param bufferBytes receive buffer of the events at the start
   * @param sieve how newborn flows are kept back; null: not at all
   * @throws OpError, EPERM without CAP_NET_ADMIN
   */
  constructor(
    private readonly field: MarkField,
    bufferBytes: number,
    sieve: SieveSettings | null = null,
  ) {
    const bufferBytesMax = Math.max(bufferBytes, EVENT_BUFFER_BYTES_MAX);
    this.events = new ConntrackEvents({ bufferBytes, bufferBytesMax, sieve });
    this.expectations = new KernelExpectations(this.table, field);
    this.dump = new KernelDump(field, this.expectations);
  }

  /** Operations that the kernel refused, by errno name; TOOMANY: expectations beyond the bound. */
  get refused(): Readonly<Record<string, number>> {
    const { refused } = this.expectations;
    return refused === 0 ? this.refusals : { ...this.refusals, TOOMANY: refused };
  }

  /** Flows that ended before anybody was told of them. */
  get coalesced(): number {
    return this.events.coalesced;
  }

  /** Until then each flow is told of when it is born; times are bootMs(). */
  hurry(untilMs: number): void {
    this.hurryUntilMs = untilMs;
    this.sift();
  }

  /** Flows of the cluster that were born, changed or ended since the last call. */
  readEvents(): KernelEvent[] {
    this.sift();
    let batches = BATCHES_MAX;
    while (batches-- > 0 && this.events.receive(this.visitor, -1, 0) > 0);
    this.hasRead = batches < BATCHES_MAX - 1;
    const { found } = this;
    this.found = [];
    return found;
  }

  /** When the next {@link readEvents} is due although no event comes; Infinity: never. */
  get dueMs(): number {
    const isBusy = this.isDumping || this.found.length > 0;
    return isBusy ? Number.NEGATIVE_INFINITY : this.events.dueMs;
  }

  /** Calls `onEvents` once, when events have come. The first one to be called is called always. */
  awaitEvents(onEvents: () => void): void {
    this.watch ??= this.events.watch(() => {
      this.isAwaiting = false;
      onEvents();
    });
    if (!this.isAwaiting) this.watch.arm();
    this.isAwaiting = true;
  }

  /**
   * Begins to read the whole table; one that is under way begins anew. Until it is read each event
   * is told at once: what it finds of a flow must not be all that is ever heard.
   */
  startDump(): void {
    this.isDumping = true;
    this.sift();
    this.dump.start();
  }

  /** Goes on with the dump; its records once it is complete, else null. */
  readDump(): Iterable<Replicated> | null {
    const records = this.dump.goOn();
    if (records !== null) this.isDumping = false;
    return records;
  }

  /** Notes what is to be done; {@link settle} does it. */
  wish(op: KernelOp, record: Replicated): void {
    this.wishes.push({ op, record });
  }

  /** Carries out what was wished for, in its order, equal operations together. */
  settle(): void {
    const { wishes } = this;
    this.wishes = [];
    for (let first = 0; first < wishes.length; ) {
      const { op, record } = wishes[first] as Wish;
      const isAlike = (wish: Wish) => wish.op === op && wish.record.kind === record.kind;
      let end = first + 1;
      const last = Math.min(first + GROUP_MAX, wishes.length);
      while (end < last && isAlike(wishes[end] as Wish)) end++;
      const records = wishes.slice(first, end).map((wish) => wish.record);
      if (record.kind === "flow") this.onFlows(op, records as Flow[]);
      else this.expectations.change(op, records as Expectation[], this.count);
      first = end;
    }
  }

  close(): void {
    for (const each of [this.watch, this.events, this.table, this.dump]) each?.close();
  }

  private sift(): void {
    const isAll = this.isDumping || bootMs() < this.hurryUntilMs;
    this.events.tellAll(this.visitor, isAll);
  }

  private onFlows(op: KernelOp, flows: readonly Flow[]): void {
    const records = flows.map((flow, index) => {
      this.records[index] ??= newFlow();
      writeRecordOf(flow, this.field, this.records[index]);
      return this.records[index];
    });
    const errnos = this.table[op](records);
    if (op === "create") this.onCreated(records, errnos);
    else if (op === "update") this.onUpdated(records, errnos);
    else for (const errno of errnos) this.count(op, errno);
  }

  private onCreated(records: readonly FlowRecord[], errnos: Int32Array): void {
    const reduced: FlowRecord[] = [];
    const existing: FlowRecord[] = [];
    for (const [at, record] of records.entries()) {
      const errno = errnos[at];
      // The flow has been here before, as a replica or as one that this node let in itself.
      if (errno === EEXIST) existing.push(record);
      else if (errno === ENOENT && record.master.family !== 0) reduced.push(withoutMaster(record));
      else {
        this.count("create", errno);
        if (errno === EOPNOTSUPP && record.helper !== "") reduced.push(withoutHelper(record));
      }
    }
    if (reduced.length > 0) this.onCreated(reduced, this.table.create(reduced));
    if (existing.length === 0) return;
    const again = this.table.update(existing);
    this.onUpdated(existing, again);
    for (const record of existing.filter((_, at) => again[at] === ENOENT)) this.onClash(record);
  }

  /** Another flow has the translated tuple, so the kernel does not have this one: told as gone. */
  private onClash(record: FlowRecord): void {
    const flow = flowOf(record, this.field);
    this.clashes += 1;
    if (flow) this.found.push({ kind: "gone", record: flow });
  }

  private onUpdated(records: readonly FlowRecord[], errnos: Int32Array): void {
    for (const [at, record] of records.entries()) {
      if (errnos[at] !== EBUSY) {
        this.count("update", errnos[at]);
        continue;
      }
      // One of both was expected by a master, the other was let in without.
      record.status ^= IPS.EXPECTED;
      const errno = this.table.update([record])[0];
      if (errno !== EBUSY) {
        this.count("update", errno);
        continue;
      }
      // The kernel has seen more of it than was told: its status stays, the rest is changed.
      record.present &= ~PRESENT.STATUS;
      this.count("update", this.table.update([record])[0]);
    }
  }

  private readonly count = (op: KernelOp, errno = 0): void => {
    const isFine = errno === 0 || (op === "create" && errno === EEXIST);
    // What is to be deleted may have ended by itself: replicas follow their connection to its
    // close. What is to be armed may have been let in without its helper.
    if (isFine || (op !== "create" && errno === ENOENT) || op === "arm") return;
    const name = answerCode(errno);
    this.refusals[name] = (this.refusals[name] ?? 0) + 1;
  };
}
