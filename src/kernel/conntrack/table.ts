/** The connection tracking table of the calling thread's network namespace. */
import { type Netlink, native } from "../../platform/native.js";
import { OpError, operation } from "../../platform/op-error.js";
import { NetlinkWriter, NLM_F } from "../netlink.js";
import { answerCode } from "../request.js";
import { type DumpReport, dumpVisitor, SILENT, toEnd } from "./answers.js";
import {
  type MarkFilter,
  REQUEST_BYTES_MAX,
  writeArm,
  writeCreate,
  writeDelete,
  writeDump,
  writeFlush,
  writeGet,
  writeUpdate,
} from "./encode.js";
import {
  writeCreateExpectation,
  writeDeleteExpectation,
  writeDumpExpectations,
} from "./encode-expectation.js";
import { readDatagram, type Visitor } from "./message.js";
import type { ExpectationRecord, FlowRecord, Tuple } from "./record.js";

const NETLINK_NETFILTER = 12;
/** The kernel puts at most 32 KiB of a dump into one datagram (netlink_dump in af_netlink.c). */
const DATAGRAM_BYTES = 65536;
/**
 * Requests in one send. All may fail, and each failure is an answer that quotes its request: this
 * many fit into the receive buffer, also where rmem_max is all that is granted.
 */
const BATCH_MAX = 64;
const BUFFER_BYTES = 1_048_576;
const ANSWER_MS = 2000;
/** Of a batch only the last message asks for an answer: the kernel works in order. */
const LAST = NLM_F.ACK;

type Writing<T> = (writer: NetlinkWriter, record: T, flags: number) => void;

/** A socket of its own. Every call blocks, for as long as the kernel works. Not to be shared. */
export class ConntrackTable {
  private readonly netlink: Netlink;
  private readonly writer = new NetlinkWriter(BATCH_MAX * REQUEST_BYTES_MAX);
  private readonly bytes = Buffer.alloc(DATAGRAM_BYTES);
  /** An exchange broke off: its late answers must not be taken for those of the next one. */
  private isStale = false;

  constructor() {
    this.netlink = operation("open the connection tracking table", "needs CAP_NET_ADMIN", () => {
      return new native.Netlink(NETLINK_NETFILTER, BUFFER_BYTES);
    });
  }

  /**
   * Shows all flows of both families to `visit`, or those that the kernel finds by `filter`. The
   * record is the same each time; it holds until `visit` returns.
   * @throws OpError
   */
  dump(visit: (flow: FlowRecord) => void, filter: MarkFilter | null = null): DumpReport {
    return toEnd(this.dumpSteps(visit, filter));
  }

  /**
   * The same, one datagram of the kernel (at most 32 KiB) a step: the kernel waits where the
   * steps do, so a large table costs no memory. No other call until it is done.
   */
  *dumpSteps(
    visit: (flow: FlowRecord) => void,
    filter: MarkFilter | null = null,
  ): Generator<undefined, DumpReport> {
    const write = () => writeDump(this.writer, filter);
    return yield* this.steps(write, { flow: (_, flow) => visit(flow) });
  }

  /** Shows all expectations; see {@link dump}. */
  dumpExpectations(visit: (record: ExpectationRecord) => void): DumpReport {
    return toEnd(this.dumpExpectationSteps(visit));
  }

  /** The same in steps; see {@link dumpSteps}. */
  *dumpExpectationSteps(visit: (record: ExpectationRecord) => void) {
    const write = () => writeDumpExpectations(this.writer);
    return yield* this.steps(write, { expectation: (_, record) => visit(record) });
  }

  /**
   * Shows the flow of a tuple to `visit`, if there is one.
   * @throws OpError
   */
  find(tuple: Tuple, visit: (flow: FlowRecord) => void): void {
    this.writer.clear();
    writeGet(this.writer, tuple, LAST);
    this.exchange("find a flow", new Int32Array(1), { flow: (_, flow) => visit(flow) });
  }

  /** Creates flows. @returns the errno of each, 0 where it was done. @throws OpError */
  create(flows: readonly FlowRecord[]): Int32Array {
    return this.batch("create flows", flows, writeCreate);
  }

  /** Changes flows; see `writeUpdate`. @returns errno of each. @throws OpError */
  update(flows: readonly FlowRecord[]): Int32Array {
    return this.batch("update flows", flows, writeUpdate);
  }

  /** Deletes flows by original tuple, zone and, where it is not 0, id. @returns errno of each */
  delete(flows: readonly FlowRecord[]): Int32Array {
    return this.batch("delete flows", flows, writeDelete);
  }

  /** Prepares helpers for streams they have not followed; see `writeArm`. @returns errno of each */
  arm(flows: readonly FlowRecord[]): Int32Array {
    return this.batch("prepare helpers", flows, writeArm);
  }

  createExpectations(records: readonly ExpectationRecord[]): Int32Array {
    return this.batch("create expectations", records, writeCreateExpectation);
  }

  deleteExpectations(records: readonly ExpectationRecord[]): Int32Array {
    return this.batch("delete expectations", records, writeDeleteExpectation);
  }

  /** Deletes the flows whose mark is `value` under `mask`. @throws OpError, RangeError */
  flush(filter: MarkFilter): void {
    const errno = this.batch("flush flows by mark", [filter], writeFlush)[0] as number;
    if (errno !== 0) throw new OpError("flush flows by mark", answerCode(errno), "");
  }

  close(): void {
    this.netlink.close();
  }

  /** A dump, one datagram a step. */
  private *steps(write: () => void, told: Partial<Visitor>): Generator<undefined, DumpReport> {
    const name = "dump connection tracking";
    const report: DumpReport = { records: 0, isInterrupted: false, malformed: 0 };
    let isDone = false;
    const visitor = dumpVisitor(name, report, told, () => {
      isDone = true;
    });
    this.writer.clear();
    write();
    this.send(name);
    this.isStale = true;
    while (!isDone) {
      this.read(name, visitor);
      yield undefined;
    }
    this.isStale = false;
    return report;
  }

  private batch<T>(name: string, records: readonly T[], write: Writing<T>): Int32Array {
    const errnos = new Int32Array(records.length);
    for (let first = 0; first < records.length; first += BATCH_MAX) {
      const last = Math.min(first + BATCH_MAX, records.length) - 1;
      this.writer.clear();
      for (let at = first; at <= last; at++) {
        write(this.writer, records[at] as T, at === last ? LAST : 0);
      }
      this.exchange(name, errnos.subarray(first, last + 1));
    }
    return errnos;
  }

  /** Sends what the writer holds and collects the answers; sequence numbers count from 1. */
  private exchange(name: string, errnos: Int32Array, told: Partial<Visitor> = {}): void {
    let isDone = false;
    const answer = (sequence: number, errno: number) => {
      if (sequence <= errnos.length) errnos[sequence - 1] = errno;
      if (sequence === errnos.length) isDone = true;
    };
    const visitor: Visitor = { ...SILENT, ...told, answer };
    this.send(name);
    this.isStale = true;
    while (!isDone) this.read(name, visitor);
    this.isStale = false;
  }

  private send(name: string): void {
    while (this.isStale) {
      this.isStale = operation(name, "", () => this.netlink.receive(this.bytes, 0)) > 0;
    }
    operation(name, "needs CAP_NET_ADMIN", () => {
      this.netlink.send(this.writer.bytes, this.writer.length);
    });
  }

  private read(name: string, visitor: Visitor): void {
    const length = operation(name, "", () => this.netlink.receive(this.bytes, ANSWER_MS));
    if (length === 0) throw new OpError(name, "ETIMEDOUT", "the kernel did not answer");
    readDatagram(this.bytes, 0, length, visitor);
  }
}
