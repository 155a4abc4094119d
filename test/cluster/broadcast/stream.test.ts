/** Pieces of the reliable broadcast: numbers, the sender's buffer, one receiver's stream. */
import { describe, expect, test } from "vitest";
import { Repairs } from "../../../src/cluster/broadcast/repairs.js";
import { SendBuffer } from "../../../src/cluster/broadcast/send-buffer.js";
import { advance, distance } from "../../../src/cluster/broadcast/sequence.js";
import { Starts } from "../../../src/cluster/broadcast/starts.js";
import { Stream } from "../../../src/cluster/broadcast/stream.js";
import { dataSequence } from "../../../src/cluster/frame/data.js";
import { readStart } from "../../../src/cluster/frame/start.js";
import {
  HELD_FRAMES_MAX,
  NAK_DELAY_MS,
  NAK_FRAMES_MAX,
  NAK_REPEAT_MS,
  NAK_RUNS_MAX,
  REPAIR_HOLD_MS,
  REPAIRS_PER_TICK,
} from "../../../src/cluster/limits.js";

const WRAP = 0xffffffff;
const payload = (value: number) => Uint8Array.from([value]);

test("numbers go around", () => {
  expect(advance(WRAP)).toBe(0);
  expect(advance(0, -1)).toBe(WRAP);
  expect(distance(WRAP, 1)).toBe(2);
  expect(distance(1, WRAP)).toBe(-2);
});

describe("send buffer", () => {
  test("keeps the last frames, over the wrap too", () => {
    const buffer = new SendBuffer(WRAP - 1, 4);
    const bodies = [1, 2, 3, 4, 5].map((value) => buffer.push(payload(value), 0));
    expect(bodies.map(dataSequence)).toEqual([WRAP - 1, WRAP, 0, 1, 2]);
    expect(buffer.next).toBe(3);
    expect(buffer.fill).toBe(4);
    expect([WRAP - 1, WRAP, 0, 2, 3, 4].map((at) => buffer.covers(at))).toEqual([
      ...[false, true, true, true, true, false],
    ]);
  });

  test("a frame is not repeated twice in a moment, nor when it is forgotten", () => {
    const buffer = new SendBuffer(7, 4);
    buffer.push(payload(1), 0);
    expect(buffer.repeat(7, REPAIR_HOLD_MS - 1)).toBeNull();
    expect(buffer.repeat(7, REPAIR_HOLD_MS)).not.toBeNull();
    expect(buffer.repeat(7, REPAIR_HOLD_MS + 1)).toBeNull();
    expect(buffer.repeat(8, 1000)).toBeNull();
  });
});

test("repairs are bounded by the tick, and asked for twice are sent once", () => {
  const buffer = new SendBuffer(0, 512);
  for (let count = 0; count < 512; count++) buffer.push(payload(1), 0);
  const repairs = new Repairs();
  for (let peer = 0; peer < 5; peer++) repairs.ask(peer, [{ first: 0, frames: 60_000 }], buffer, 0);
  expect(repairs.size).toBe(NAK_FRAMES_MAX);
  let sent = 0;
  for (let tick = 1; repairs.size > 0; tick++) {
    const bodies = repairs.take(buffer, tick * 100);
    expect(bodies.length).toBeLessThanOrEqual(REPAIRS_PER_TICK);
    sent += bodies.length;
  }
  expect(sent).toBe(NAK_FRAMES_MAX);
});

describe("starts", () => {
  const [A, B] = [1, 2].map((node) => ({ node, incarnation: BigInt(node) }));

  test("all who wait get the same start, and a repeated RESYNC the same answer", () => {
    const buffer = new SendBuffer(10, 4);
    const starts = new Starts();
    expect(starts.ask(A, 77, buffer)).toBeNull();
    expect(starts.ask(B, 88, buffer)).toBeNull();
    expect(starts.answer(10).map(readStart)).toEqual([
      { ticket: 77, sequence: 10 },
      { ticket: 88, sequence: 10 },
    ]);
    expect(starts.isWanted).toBe(false);
    buffer.push(payload(1), 0);
    expect(starts.ask(A, 77, buffer)).not.toBeNull();
    expect(starts.isWanted).toBe(false);
  });

  test("an answer whose frames are forgotten is not repeated: the table is sent again", () => {
    const buffer = new SendBuffer(10, 4);
    const starts = new Starts();
    starts.ask(A, 77, buffer);
    starts.answer(10);
    for (let count = 0; count < 5; count++) buffer.push(payload(1), 0);
    expect(starts.ask(A, 77, buffer)).toBeNull();
    expect(starts.isWanted).toBe(true);
  });
});

describe("stream", () => {
  /** Delivers what there is, as the values of the payloads. */
  const drain = (stream: Stream) => {
    const values: number[] = [];
    for (let next = stream.next(); next; next = stream.next()) values.push(next[0]);
    return values;
  };

  test("in order, once, over the wrap", () => {
    const stream = new Stream(64);
    stream.begin(WRAP);
    expect(stream.take(1, payload(3), 0)).toBe("taken");
    expect(drain(stream)).toEqual([]);
    expect(stream.take(WRAP, payload(1), 0)).toBe("taken");
    expect(drain(stream)).toEqual([1]);
    expect(stream.take(0, payload(2), 0)).toBe("taken");
    expect(drain(stream)).toEqual([2, 3]);
    expect(stream.take(0, payload(2), 0)).toBe("duplicate");
    expect(stream.lag).toBe(0);
  });

  test("waiting, it holds frames, and a base throws away those before it", () => {
    const stream = new Stream(64);
    for (const at of [8, 9, 11]) stream.take(at, payload(at), 0);
    expect(drain(stream)).toEqual([]);
    stream.begin(9);
    expect(drain(stream)).toEqual([9]);
    expect(stream.naks(0)).toEqual([{ first: 10, frames: 1 }]);
  });

  test("a gap is asked for after a moment, then at intervals, until it is filled", () => {
    const stream = new Stream(64);
    stream.begin(5);
    expect(stream.naks(0)).toEqual([]);
    stream.take(6, payload(6), 100);
    stream.take(9, payload(9), 100);
    expect(stream.naks(100 + NAK_DELAY_MS - 1)).toEqual([]);
    const asked = [
      { first: 5, frames: 1 },
      { first: 7, frames: 2 },
    ];
    expect(stream.naks(100 + NAK_DELAY_MS)).toEqual(asked);
    expect(stream.naks(100 + NAK_DELAY_MS + NAK_REPEAT_MS - 1)).toEqual([]);
    expect(stream.naks(100 + NAK_DELAY_MS + NAK_REPEAT_MS)).toEqual(asked);
    for (const at of [5, 7, 8]) stream.take(at, payload(at), 200);
    drain(stream);
    expect(stream.naks(1000)).toEqual([]);
  });

  test("a lost last frame is noticed by what heartbeats say", () => {
    const stream = new Stream(64);
    stream.begin(5);
    expect(stream.hear(5, 0)).toBe(true);
    expect(stream.lag).toBe(1);
    expect(stream.naks(NAK_DELAY_MS)).toEqual([{ first: 5, frames: 1 }]);
    expect(stream.hear(3, 0)).toBe(true); // an older heartbeat
    expect(stream.lag).toBe(1);
  });

  test("a gap as long as the sender's buffer is out of sync", () => {
    const stream = new Stream(64);
    stream.begin(5);
    expect(stream.hear(5 + 63, 0)).toBe(true);
    expect(stream.hear(5 + 64, 0)).toBe(false);
    expect(stream.take(5 + 64, payload(1), 0)).toBe("outOfSync");
  });

  test("what is held is bounded, and the frame that is missed is always taken", () => {
    const stream = new Stream(8192);
    stream.begin(0);
    for (let at = 1; at <= HELD_FRAMES_MAX; at++) stream.take(at, payload(1), 0);
    expect(stream.take(HELD_FRAMES_MAX + 1, payload(1), 0)).toBe("notHeld");
    expect(stream.heldFrames).toBe(HELD_FRAMES_MAX);
    expect(stream.take(0, payload(1), 0)).toBe("taken");
    expect(drain(stream)).toHaveLength(HELD_FRAMES_MAX + 1);
  });

  test("one NAK asks for a bounded number of runs and frames", () => {
    const stream = new Stream(4096);
    stream.begin(0);
    for (let at = 1; at < 400; at += 2) stream.take(at, payload(1), 0);
    expect(stream.naks(100)).toHaveLength(NAK_RUNS_MAX);
    stream.begin(1000);
    stream.hear(4000, 0);
    expect(stream.naks(1000)).toEqual([{ first: 1000, frames: NAK_FRAMES_MAX }]);
  });
});
