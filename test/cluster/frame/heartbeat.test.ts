import { describe, expect, test } from "vitest";
import {
  encodeHeartbeat,
  type Heartbeat,
  isHeartbeat,
  readHeartbeat,
} from "../../../src/cluster/frame/heartbeat.js";
import { DATAGRAM_BYTES, DATAGRAM_BYTES_MIN, ECHOES_MAX } from "../../../src/cluster/limits.js";
import type { Run } from "../../../src/cluster/ranges/bitmap.js";
import { RUNS_MAX } from "../../../src/config/limits.js";

const BYTES = Uint8Array.from([
  ...[1, 3, 0, 0],
  ...[0, 0, 0, 0, 0, 0, 0, 9], // tick
  ...[0, 0, 0, 0, 0, 0, 1, 0], // epoch
  ...[0x11, 0, 0, 0, 0, 0, 0, 0x12], // view
  ...[0x21, 0, 0, 0, 0, 0, 0, 0x22], // config
  ...[0x31, 0, 0, 0, 0, 0, 0, 0x32], // challenge
  ...[0, 2, 0, 1], // runs, echoes
  ...[0xff, 0, 0, 7], // sent
  ...[0, 0, 0, 7, 0, 9, 0xff, 0xff],
  ...[5, 2, 0x41, 0, 0, 0, 0, 0, 0, 0x42, 0x51, 0, 0, 0, 0, 0, 0, 0x52],
]);
const BEAT: Heartbeat = {
  state: "active",
  tick: 9,
  epoch: 256,
  viewHash: 0x1100000000000012n,
  configDigest: 0x2100000000000022n,
  challenge: 0x3100000000000032n,
  sent: 0xff000007,
  runs: [
    [0, 7],
    [9, 65535],
  ],
  echoes: [{ node: 5, incarnation: 0x4100000000000042n, challenge: 0x5100000000000052n, links: 2 }],
};

describe("heartbeat", () => {
  test("literal bytes, both ways", () => {
    expect(isHeartbeat(BYTES)).toBe(true);
    expect(readHeartbeat(BYTES)).toEqual(BEAT);
    expect(encodeHeartbeat(BEAT)).toEqual(BYTES);
  });

  test("every truncation and an extra byte are refused", () => {
    for (let length = 0; length < BYTES.length; length++) {
      expect(isHeartbeat(BYTES.subarray(0, length))).toBe(false);
    }
    expect(isHeartbeat(Uint8Array.from([...BYTES, 0]))).toBe(false);
  });

  const wrong: [string, number, number][] = [
    ["another kind", 0, 2],
    ["state 0", 1, 0],
    ["state beyond the last", 1, 5],
    ["a tick that is no exact number", 4, 0x20],
    ["an epoch that is no exact number", 12, 0x20],
    ["more runs than there are", 45, 3],
    ["more echoes than there are", 47, 2],
    ["a run that ends before it begins", 55, 0xff],
    ["runs that touch", 57, 8],
    ["an echo of node 0", 60, 0],
  ];
  test.each(wrong)("%s is refused", (name, at, value) => {
    const bytes = BYTES.slice();
    bytes[at] = value;
    if (name.startsWith("a run that ends")) bytes.set([0, 9, 0, 7], 52);
    expect(isHeartbeat(bytes)).toBe(false);
  });

  test("the largest heartbeat fits a datagram, one run or echo more is refused", () => {
    const runs = (count: number) =>
      Array.from({ length: count }, (_, index): Run => [index * 4, index * 4 + 1]);
    const echoes = (count: number) =>
      Array.from({ length: count }, () => ({ node: 1, incarnation: 1n, challenge: 1n, links: 1 }));
    const largest = encodeHeartbeat({ ...BEAT, runs: runs(RUNS_MAX), echoes: echoes(ECHOES_MAX) });
    expect(isHeartbeat(largest)).toBe(true);
    expect(28 + 16 + largest.length).toBe(DATAGRAM_BYTES_MIN);
    expect(DATAGRAM_BYTES_MIN).toBeLessThanOrEqual(DATAGRAM_BYTES);
    expect(isHeartbeat(encodeHeartbeat({ ...BEAT, runs: runs(RUNS_MAX + 1) }))).toBe(false);
    expect(isHeartbeat(encodeHeartbeat({ ...BEAT, echoes: echoes(ECHOES_MAX + 1) }))).toBe(false);
  });
});
