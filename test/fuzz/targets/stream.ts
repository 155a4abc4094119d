/**
 * What a member says of flows: its stream, its questions and its answers, broken.
 *
 * Whatever it says: no crash, a table that stays within its bound, an amount sent that does not
 * depend on it, and nothing asked of the kernel that the filters do not let through and that cannot
 * be written as a request.
 *
 *     input   0 options: 1 the frame is the next one, 2 a tick follows
 *             1.. the body
 */

import { encodeOp, type Op, readOps } from "../../../src/cluster/flows/ops.js";
import type { FlowOutput } from "../../../src/cluster/flows/output.js";
import { type Flow, inverse, type Replicated } from "../../../src/cluster/flows/record.js";
import { flowSettings } from "../../../src/cluster/flows/settings.js";
import { FlowSync } from "../../../src/cluster/flows/sync.js";
import { encodeAck } from "../../../src/cluster/frame/ack.js";
import { addressee } from "../../../src/cluster/frame/address.js";
import { encodeData } from "../../../src/cluster/frame/data.js";
import { KIND } from "../../../src/cluster/frame/kind.js";
import { encodeNak } from "../../../src/cluster/frame/nak.js";
import { encodeRepair } from "../../../src/cluster/frame/repair.js";
import { encodeResync, isResync, resyncTicket } from "../../../src/cluster/frame/resync.js";
import { encodeStart } from "../../../src/cluster/frame/start.js";
import { BODY_BYTES, HELD_FRAMES_MAX } from "../../../src/cluster/limits.js";
import { bitmapOf } from "../../../src/cluster/ranges/bitmap.js";
import { writeRecordOf } from "../../../src/cluster/sync/convert.js";
import { isReplicable } from "../../../src/cluster/sync/filter.js";
import {
  REQUEST_BYTES_MAX,
  writeCreate,
  writeDelete,
} from "../../../src/kernel/conntrack/encode.js";
import { newFlow } from "../../../src/kernel/conntrack/record.js";
import { NetlinkWriter } from "../../../src/kernel/netlink.js";
import { MarkField } from "../../../src/state/mark-field.js";
import { behaviour, check, newInput, type Target } from "../target.js";

const SELF = { node: 1, incarnation: 0x11n };
const PEER = { node: 2, incarnation: 0x22n };
const BUCKETS = 64;
const FLOWS_MAX = 64;
const TICK_MS = 10;
const OPTION = { NEXT: 1, TICK: 2 } as const;
/** Bodies that one body and one tick may cause: repairs, changes, digests, tables, questions. */
const SENT_MAX = 256;
const isWanted = isReplicable([1, 6, 17]);
const MARKS = new MarkField(0xffff0000);

export class StreamTarget implements Target {
  readonly name = "stream";
  readonly episode = 256;
  readonly input = newInput(1 + BODY_BYTES);
  private sync = newSync();
  private readonly writer = new NetlinkWriter(REQUEST_BYTES_MAX);
  private readonly record = newFlow();
  private now = 0;
  private next = 1;

  seeds(): Uint8Array[] {
    const payloads = OPS.map(encodeOp);
    const bodies = [
      ...payloads.map((payload) => encodeData(1, payload)),
      encodeData(1, Uint8Array.from(payloads.slice(0, 4).flatMap((payload) => [...payload]))),
      encodeNak(SELF, [
        { first: 0, frames: 3 },
        { first: 0xfffffff0, frames: 0xffff },
      ]),
      encodeRepair(SELF, [1, 2, 63]),
      encodeAck({
        ...{ reasons: 1, degradedMs: 500, number: 3 },
        followed: [{ ...SELF, isFollowing: true, isComplete: true, lag: 2, next: 9 }],
      }),
      encodeResync(SELF, 5),
      encodeStart(SELF, { ticket: 1, sequence: 7 }),
    ];
    return bodies.map((body) => Uint8Array.from([OPTION.NEXT | OPTION.TICK, ...body]));
  }

  reset(): void {
    this.sync = newSync();
    this.now = 0;
    this.next = 1;
    this.sync.onSelf(SELF, 0);
    this.sync.onRange(bitmapOf([[0, 31]], BUCKETS), 1, 0);
    this.sync.onPeerUp(PEER, 0);
    for (const output of this.sync.onTick(TICK_MS)) {
      if (output.kind !== "send" || !isResync(output.body)) continue;
      check(addressee(output.body).node === PEER.node, "RESYNC to somebody else");
      const start = { ticket: resyncTicket(output.body), sequence: this.next };
      this.sync.onBody(PEER, encodeStart(SELF, start), TICK_MS);
    }
  }

  run(length: number): number {
    const options = length > 0 ? (this.input[0] as number) : 0;
    const body = this.input.slice(1, Math.max(1, length));
    const isNext = (options & OPTION.NEXT) !== 0 && body[0] === KIND.data && body.length > 8;
    if (isNext) new DataView(body.buffer).setUint32(4, this.next++);
    const { malformed } = this.sync.receiver;
    const outputs = this.sync.onBody(PEER, body, this.now);
    if ((options & OPTION.TICK) !== 0) {
      this.now += TICK_MS;
      outputs.push(...this.sync.onTick(this.now));
    }
    this.judge(outputs);
    const ops = isNext ? readOps(body.subarray(8), BUCKETS) : null;
    if (ops !== null) judgeOps(ops);
    const isRefused = this.sync.receiver.malformed !== malformed ? 1 : 0;
    const wire = ops?.map(({ op }) => op.length) ?? [];
    return behaviour(body[0] ?? 0, isRefused, outputs.length & 15, ...wire.slice(0, 4));
  }

  private judge(outputs: readonly FlowOutput[]): void {
    const { sync } = this;
    check(sync.shelf.table.size <= FLOWS_MAX, `${sync.shelf.table.size} flows`);
    const sent = outputs.filter(({ kind }) => kind === "send").length;
    check(sent <= SENT_MAX, `${sent} bodies sent for one`);
    for (const output of outputs) {
      if (output.kind === "send") check(output.body.length <= BODY_BYTES, "a long body");
      if (output.kind === "kernel") this.judgeKernel(output.record);
    }
    for (const { stream } of sync.broadcast.peers()) {
      check(stream.heldFrames <= HELD_FRAMES_MAX, `${stream.heldFrames} frames held`);
    }
  }

  private judgeKernel(record: Replicated): void {
    check(isWanted(record), "a flow for the kernel that the filters refuse");
    if (record.kind !== "flow") return;
    writeRecordOf(record, MARKS, this.record);
    for (const write of [writeCreate, writeDelete]) {
      this.writer.clear();
      write(this.writer, this.record);
    }
  }
}

/** What was read is what will be written, and read again, alike. */
function judgeOps(ops: readonly Op[]): void {
  for (const op of ops) {
    const once = encodeOp(op);
    const [again] = readOps(once, BUCKETS) ?? [];
    check(again !== undefined, `${op.op} cannot be read again`);
    const twice = encodeOp(again as Op);
    const same = once.length === twice.length && once.every((byte, at) => byte === twice[at]);
    check(same, `${op.op} reads otherwise the second time`);
  }
}

function newSync(): FlowSync {
  let drawn = 0;
  const random32 = () => ++drawn;
  const given = { node: SELF.node, buckets: BUCKETS, flowsMax: FLOWS_MAX, random32, isWanted };
  return new FlowSync(flowSettings(given), 0);
}

const ENDS = {
  src: Uint8Array.of(10, 0, 0, 1),
  dst: Uint8Array.of(192, 0, 2, 1),
  srcPort: 1234,
  dstPort: 80,
};
const ENDS6 = { ...ENDS, src: new Uint8Array(16).fill(0x20), dst: new Uint8Array(16).fill(0x2a) };
const FLOW: Flow = {
  kind: "flow",
  protocol: 6,
  bucket: 40,
  zone: 0,
  timeoutClass: 75,
  helper: "",
  original: ENDS,
  reply: inverse(ENDS),
  state: "established",
  status: 6,
  mark: 0,
  master: null,
  shifts: null,
  vtags: null,
};
const RICH: Flow = {
  ...FLOW,
  zone: 3,
  helper: "ftp",
  original: ENDS6,
  reply: { ...inverse(ENDS6), dstPort: 9999 },
  mark: 7,
  master: { ...ENDS6, protocol: 6 },
  shifts: [1, 2, 3, 4, 5, 6],
  vtags: [7, 8],
};
const VERSION = { term: 1, writer: PEER.node, sequence: 1 };
const OPS: readonly Op[] = [
  { op: "put", version: VERSION, record: FLOW },
  { op: "put", version: { ...VERSION, sequence: 2 }, record: RICH },
  {
    op: "put",
    version: VERSION,
    record: {
      ...{ kind: "expectation", protocol: 6, bucket: 41, zone: 0, timeoutClass: 20 },
      ...{ helper: "ftp", original: ENDS, mask: ENDS, master: { ...ENDS, protocol: 6 } },
      ...{ flags: 1, class: 0, fn: "nat-follow-master", nat: { ...ENDS, direction: 1 } },
    },
  },
  { op: "remove", version: { ...VERSION, sequence: 3 }, identity: FLOW },
  { op: "digest", bucket: 40, term: 1, digest: { flows: 1, sums: [1, 2] } },
  { op: "section", bucket: 40, term: 1 },
  { op: "end", bucket: 40, isWhole: true },
  { op: "table", start: 1, flows: 3 },
  { op: "done", start: 1 },
  { op: "claim", bucket: 3, term: 9, node: 2 },
];
