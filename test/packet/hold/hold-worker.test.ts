/** The holding loop without a kernel: a capture that plays packets and keeps what leaves. */
import { beforeEach, expect, test } from "vitest";
import { HELD_PACKETS_MAX, HOLD_GRACE_MS } from "../../../src/config/limits.js";
import { Batch } from "../../../src/packet/batch.js";
import type { Capture } from "../../../src/packet/capture/capture.js";
import { HoldWorker } from "../../../src/packet/hold/hold-worker.js";
import { bootMs } from "../../../src/platform/clock.js";
import { DESCRIPTOR } from "../../../src/platform/native.js";
import { publishBitmap } from "../../../src/state/bucket-set.js";
import { EXTRA } from "../../../src/state/counters.js";
import { ASK } from "../../../src/state/hold-channel.js";
import { allocateShared, SharedState } from "../../../src/state/layout.js";
import { revokeLease, writeLease } from "../../../src/state/lease-word.js";
import { MarkField } from "../../../src/state/mark-field.js";
import { Reason } from "../../../src/state/reason.js";

const BUCKETS = 64;
const OWN = 5;
const FOREIGN = 6;
const FIELD = new MarkField(0xffff0000);
const SYN_ACK = 0x12;
/** Longer than any test here takes. */
const HOLD_MS = 60_000;

/** From 192.0.2.1:80 to 10.0.0.2 and this port: a TCP header, or a UDP one without flags. */
function reply(port: number, flags: number | null = SYN_ACK): Buffer {
  const isTcp = flags !== null;
  const length = isTcp ? 40 : 28;
  const ip = [0x45, 0, 0, length, 0, 0, 0x40, 0, 64, isTcp ? 6 : 17, 0, 0];
  const ends = [192, 0, 2, 1, 10, 0, 0, 2, 0, 80, port >> 8, port & 0xff];
  const tcp = [0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags ?? 0, 0xff, 0xff, 0, 0, 0, 0];
  return Buffer.from([...ip, ...ends, ...(isTcp ? tcp : [0, 8, 0, 0])]);
}

class FakeCapture implements Capture {
  readonly losses = { overruns: 0, verdictErrors: 0, unreadable: 0 };
  coming: { id: number; bytes: Buffer; bucket: number }[] = [];
  /** What left: id, verdict, mark. */
  left: [id: number, verdict: number, mark: number][] = [];

  receive(batch: Batch): void {
    const packets = this.coming.splice(0, 256);
    packets.forEach(({ id, bytes, bucket }, index) => {
      const at = index * batch.slotBytes;
      const words = index * DESCRIPTOR.STRIDE;
      batch.bytes.set(bytes, at);
      batch.descriptors[words + DESCRIPTOR.ID] = id;
      batch.descriptors[words + DESCRIPTOR.OFFSET] = at;
      batch.descriptors[words + DESCRIPTOR.CAPTURED] = bytes.length;
      batch.descriptors[words + DESCRIPTOR.MARK] = FIELD.with(0, bucket);
    });
    batch.count = packets.length;
  }

  settle(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) {
      const [verdict, mark] = [batch.verdicts[i] as number, batch.marks[i] as number];
      this.left.push([batch.word(i, DESCRIPTOR.ID), verdict, mark]);
    }
  }

  close(): void {}
}

let state: SharedState;
let capture: FakeCapture;
let questions: Int32Array[];
let answers: number[];
let worker: HoldWorker;

function start(holdMs = HOLD_MS): void {
  const batch = () => new Batch(128);
  worker = new HoldWorker({
    ...{ index: 0, state, capture, batch: batch(), leaving: batch(), mark: FIELD, holdMs, seed: 7 },
    ask: (rows) => questions.push(rows.slice()),
    answers: (release) => answers.splice(0).forEach(release),
  });
}

beforeEach(() => {
  state = new SharedState(allocateShared(BUCKETS, 1));
  publishBitmap(state.owned, Int32Array.of(1 << OWN, 0));
  writeLease(state.words, state.leaseAt, bootMs() + 60_000);
  capture = new FakeCapture();
  questions = [];
  answers = [];
  start();
});

/** Plays packets; gives the tickets of the questions about them. */
function play(...packets: { id: number; bytes: Buffer; bucket?: number }[]): number[] {
  capture.coming.push(...packets.map((each) => ({ bucket: OWN, ...each })));
  const before = questions.length;
  while (capture.coming.length > 0) worker.breathe();
  return questions.slice(before).flatMap((rows) => {
    const count = rows.length / ASK.WORDS;
    return Array.from({ length: count }, (_, row) => rows[row * ASK.WORDS + ASK.TICKET] as number);
  });
}

function answer(...tickets: number[]): void {
  answers.push(...tickets);
  worker.breathe();
}

const counted = (counter: number) => state.counters(0).read()[counter];
const leaving = () => capture.left.splice(0);

test("a reply is asked about, held, and leaves with its answer and its mark", () => {
  const [ticket] = play({ id: 1, bytes: reply(1000) });
  expect(leaving()).toEqual([]);
  expect(counted(EXTRA.HELD)).toBe(1);
  const [row] = questions as [Int32Array];
  expect([...row.subarray(1, ASK.SRC)]).toEqual([4, 6, 80, 1000]);
  expect([row[ASK.SRC], row[ASK.DST]]).toEqual([0xc0000201 | 0, 0x0a000002]);
  answer(ticket as number);
  expect(leaving()).toEqual([[1, 1, FIELD.with(0, OWN)]]);
  expect([EXTRA.HELD, EXTRA.SEEN, Reason.OWN_FLOW].map(counted)).toEqual([0, 1, 1]);
});

test("answers come in any order; a second one for the same reply changes nothing", () => {
  const [one, two] = play({ id: 1, bytes: reply(1000) }, { id: 2, bytes: reply(1001) });
  answer(two as number, one as number, two as number);
  expect(leaving().map(([id]) => id)).toEqual([2, 1]);
  const [three] = play({ id: 3, bytes: reply(1002) });
  answer(one as number, two as number);
  expect(leaving()).toEqual([]);
  answer(three as number);
  expect(leaving().map(([id]) => id)).toEqual([3]);
});

test("the lease is judged when a reply leaves: over, or of a bucket that has gone", () => {
  const tickets = play(
    { id: 1, bytes: reply(1000) },
    { id: 2, bytes: reply(1001), bucket: FOREIGN },
  );
  answer(tickets[1] as number);
  expect(leaving()).toEqual([[2, 0, FIELD.with(0, FOREIGN)]]);
  revokeLease(state.words, state.leaseAt);
  answer(tickets[0] as number);
  expect(leaving().map(([id, verdict]) => [id, verdict])).toEqual([[1, 0]]);
  expect([Reason.FOREIGN_FLOW, Reason.LEASE_EXPIRED].map(counted)).toEqual([1, 1]);
});

test("what finds no room is let through at once, and counted", () => {
  const packets = Array.from({ length: HELD_PACKETS_MAX + 3 }, (_, index) => {
    return { id: index, bytes: reply(1000 + index) };
  });
  const tickets = play(...packets);
  expect(tickets).toHaveLength(HELD_PACKETS_MAX);
  expect(leaving().map(([id]) => id)).toEqual([1024, 1025, 1026]);
  expect([EXTRA.HOLD_OVERFLOW, EXTRA.HELD].map(counted)).toEqual([3, HELD_PACKETS_MAX]);
  answer(...tickets);
  expect(leaving()).toHaveLength(HELD_PACKETS_MAX);
  expect(counted(EXTRA.HELD)).toBe(0);
});

test("without an answer it leaves by itself, and is counted", async () => {
  start(0);
  play({ id: 1, bytes: reply(1000) });
  const until = bootMs() + 2 * HOLD_GRACE_MS;
  while (bootMs() < until) worker.breathe();
  worker.breathe(); // on a busy machine the last one may have come too early
  expect(leaving().map(([id, verdict]) => [id, verdict])).toEqual([[1, 1]]);
  expect(counted(EXTRA.HOLD_LATE)).toBe(1);
});

test("of a UDP flow the answer is remembered, of TCP it is not", () => {
  const [udp, tcp] = play({ id: 1, bytes: reply(1000, null) }, { id: 2, bytes: reply(1000) });
  answer(udp as number, tcp as number);
  expect(leaving()).toHaveLength(2);
  expect(play({ id: 3, bytes: reply(1000, null) })).toEqual([]);
  expect(leaving().map(([id]) => id)).toEqual([3]);
  expect(play({ id: 4, bytes: reply(1000) })).toHaveLength(1);
  expect(play({ id: 5, bytes: reply(1001, null) })).toHaveLength(1);
});

test("what cannot be dissected is dropped for its reason, not asked about", () => {
  expect(play({ id: 1, bytes: reply(1000).subarray(0, 30) })).toEqual([]);
  const [left] = leaving();
  expect(left?.[1]).toBe(0);
  expect(counted(EXTRA.SEEN)).toBe(1);
  expect(counted(Reason.TRUNCATED) ?? 0).toBe(1);
});
