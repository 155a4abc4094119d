/** The bodies of broadcast and repair, byte by byte. */
import { describe, expect, test } from "vitest";
import {
  DEGRADED,
  encodeAck,
  isAck,
  readAckHead,
  readFollowed,
} from "../../../src/cluster/frame/ack.js";
import { addressee } from "../../../src/cluster/frame/address.js";
import {
  dataPayload,
  dataSequence,
  encodeData,
  isData,
  isUrgent,
} from "../../../src/cluster/frame/data.js";
import { encodeNak, isNak, nakRuns } from "../../../src/cluster/frame/nak.js";
import { encodeRepair, isRepair, repairBuckets } from "../../../src/cluster/frame/repair.js";
import { encodeResync, isResync, resyncTicket } from "../../../src/cluster/frame/resync.js";
import { encodeStart, isStart, readStart } from "../../../src/cluster/frame/start.js";
import {
  BODY_BYTES,
  NAK_RUNS_MAX,
  NODES_MAX,
  REPAIR_BUCKETS_MAX,
} from "../../../src/cluster/limits.js";

const TO = { node: 5, incarnation: 0x4100000000000042n };
const TO_BYTES = [0x41, 0, 0, 0, 0, 0, 0, 0x42];

interface Case {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly encoded: Uint8Array;
  readonly is: (bytes: Uint8Array) => boolean;
  readonly read: (bytes: Uint8Array) => unknown;
  readonly content: unknown;
}

const NAK: Case = {
  name: "NAK",
  bytes: Uint8Array.from([4, 5, 0, 2, ...TO_BYTES, 0xff, 0xff, 0xff, 0xff, 0, 3, 0, 0, 0, 9, 1, 0]),
  encoded: encodeNak(TO, [
    { first: 0xffffffff, frames: 3 },
    { first: 9, frames: 256 },
  ]),
  is: isNak,
  read: nakRuns,
  content: [
    { first: 0xffffffff, frames: 3 },
    { first: 9, frames: 256 },
  ],
};
const RESYNC: Case = {
  name: "RESYNC",
  bytes: Uint8Array.from([5, 5, 0, 1, ...TO_BYTES, 0xde, 0xad, 0xbe, 0xef]),
  encoded: encodeResync(TO, 0xdeadbeef),
  is: isResync,
  read: resyncTicket,
  content: 0xdeadbeef,
};
const START: Case = {
  name: "START",
  bytes: Uint8Array.from([6, 5, 0, 1, ...TO_BYTES, 0xde, 0xad, 0xbe, 0xef, 0xff, 0, 0, 1]),
  encoded: encodeStart(TO, { ticket: 0xdeadbeef, sequence: 0xff000001 }),
  is: isStart,
  read: readStart,
  content: { ticket: 0xdeadbeef, sequence: 0xff000001 },
};
const REPAIR: Case = {
  name: "REPAIR",
  bytes: Uint8Array.from([7, 5, 0, 2, ...TO_BYTES, 0, 7, 0xff, 0xff]),
  encoded: encodeRepair(TO, [7, 65535]),
  is: isRepair,
  read: repairBuckets,
  content: [7, 65535],
};

describe.each([NAK, RESYNC, START, REPAIR])("$name", ({ bytes, encoded, is, read, content }) => {
  test("literal bytes, both ways", () => {
    expect(encoded).toEqual(bytes);
    expect(is(bytes)).toBe(true);
    expect(read(bytes)).toEqual(content);
    expect(addressee(bytes)).toEqual(TO);
  });

  test("every truncation, an extra byte, another kind and node 0 are refused", () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(is(bytes.subarray(0, length))).toBe(false);
    }
    expect(is(Uint8Array.from([...bytes, 0]))).toBe(false);
    expect(is(Uint8Array.from([99, ...bytes.subarray(1)]))).toBe(false);
    expect(is(Uint8Array.from([bytes[0], 0, ...bytes.subarray(2)]))).toBe(false);
  });
});

describe("bounds", () => {
  test("a NAK has 1 to NAK_RUNS_MAX runs of at least one frame", () => {
    const runs = (count: number) => Array.from({ length: count }, () => ({ first: 1, frames: 1 }));
    expect(isNak(encodeNak(TO, runs(NAK_RUNS_MAX)))).toBe(true);
    expect(isNak(encodeNak(TO, runs(NAK_RUNS_MAX + 1)))).toBe(false);
    expect(isNak(encodeNak(TO, []))).toBe(false);
    expect(isNak(encodeNak(TO, [{ first: 1, frames: 0 }]))).toBe(false);
  });

  test("a REPAIR has 1 to REPAIR_BUCKETS_MAX buckets", () => {
    const buckets = (count: number) => Array.from({ length: count }, (_, index) => index);
    expect(isRepair(encodeRepair(TO, buckets(REPAIR_BUCKETS_MAX)))).toBe(true);
    expect(isRepair(encodeRepair(TO, buckets(REPAIR_BUCKETS_MAX + 1)))).toBe(false);
    expect(isRepair(encodeRepair(TO, []))).toBe(false);
  });

  test("the largest of each fits a datagram", () => {
    const runs = Array.from({ length: NAK_RUNS_MAX }, () => ({ first: 1, frames: 1 }));
    expect(encodeNak(TO, runs).length).toBeLessThanOrEqual(BODY_BYTES);
    const buckets = Array.from({ length: REPAIR_BUCKETS_MAX }, () => 1);
    expect(encodeRepair(TO, buckets).length).toBeLessThanOrEqual(BODY_BYTES);
  });
});

describe("ACK", () => {
  const BYTES = Uint8Array.from([
    ...[8, 3, 0, 2, 0xff, 0, 0, 9, 0, 0, 4, 0xd2],
    ...[5, 3, 0xff, 0xff, 0xfe, 0, 0, 1, ...TO_BYTES],
    ...[6, 0, 0, 0, 0, 0, 0, 0, ...TO_BYTES],
  ]);
  const { incarnation } = TO;
  const far = { isFollowing: true, isComplete: true, lag: 65_535, next: 0xfe000001 };
  const unknown = { isFollowing: false, isComplete: false, lag: 0, next: 0 };
  const ACK = {
    ...{ reasons: DEGRADED.EVENTS_LOST | DEGRADED.READING, degradedMs: 1234, number: 0xff000009 },
    followed: [
      { node: 5, incarnation, ...far },
      { node: 6, incarnation, ...unknown },
    ],
  };

  test("literal bytes, both ways; a lag beyond 16 bits is the largest", () => {
    expect(isAck(BYTES)).toBe(true);
    const followed = ACK.followed.map((each) => readFollowed(BYTES, each));
    expect({ ...readAckHead(BYTES), followed }).toEqual(ACK);
    expect(readFollowed(BYTES, { node: 5, incarnation: incarnation + 1n })).toBe(null);
    expect(readFollowed(BYTES, { node: 7, incarnation })).toBe(null);
    expect(encodeAck(ACK)).toEqual(BYTES);
    const further = { node: 5, incarnation, ...far, lag: 1_000_000 };
    const lagging = [further, ...ACK.followed.slice(1)];
    expect(encodeAck({ ...ACK, followed: lagging })).toEqual(BYTES);
  });

  test("every truncation, an extra byte, another kind and node 0 are refused", () => {
    for (let length = 0; length < BYTES.length; length++) {
      expect(isAck(BYTES.subarray(0, length))).toBe(false);
    }
    expect(isAck(Uint8Array.from([...BYTES, 0]))).toBe(false);
    expect(isAck(Uint8Array.from([3, ...BYTES.subarray(1)]))).toBe(false);
    expect(isAck(BYTES.with(12, 0))).toBe(false);
  });

  test("the largest fits a datagram, one node more is refused", () => {
    const of = (count: number) =>
      encodeAck({ ...ACK, followed: new Array(count).fill(ACK.followed[0]) });
    expect(isAck(of(NODES_MAX - 1))).toBe(true);
    expect(of(NODES_MAX - 1).length).toBeLessThanOrEqual(BODY_BYTES);
    expect(isAck(of(NODES_MAX))).toBe(false);
  });
});

describe("DATA", () => {
  const BYTES = Uint8Array.from([3, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe, 1, 2, 3]);

  test("literal bytes, both ways", () => {
    expect(encodeData(0xfffffffe, Uint8Array.from([1, 2, 3]))).toEqual(BYTES);
    expect(isData(BYTES)).toBe(true);
    expect(dataSequence(BYTES)).toBe(0xfffffffe);
    expect(dataPayload(BYTES)).toEqual(Uint8Array.from([1, 2, 3]));
  });

  test("somebody may wait for it", () => {
    expect(isUrgent(BYTES)).toBe(false);
    const urgent = encodeData(0xfffffffe, Uint8Array.from([1, 2, 3]), true);
    expect(urgent).toEqual(BYTES.with(1, 1));
    expect(isUrgent(urgent)).toBe(true);
  });

  test("a frame without a payload, and another kind, are refused", () => {
    for (let length = 0; length <= 8; length++) {
      expect(isData(BYTES.subarray(0, length))).toBe(false);
    }
    expect(isData(Uint8Array.from([4, ...BYTES.subarray(1)]))).toBe(false);
  });
});
