import { expect, test } from "vitest";
import { encodeLeave, isLeave, leaveTick } from "../../../src/cluster/frame/leave.js";

const BYTES = Uint8Array.from([2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7]);

test("literal bytes, both ways", () => {
  expect(isLeave(BYTES)).toBe(true);
  expect(leaveTick(BYTES)).toBe(2 ** 32 + 7);
  expect(encodeLeave(2 ** 32 + 7)).toEqual(BYTES);
});

test("truncations, an extra byte, another kind and an inexact tick are refused", () => {
  for (let length = 0; length < BYTES.length; length++) {
    expect(isLeave(BYTES.subarray(0, length))).toBe(false);
  }
  expect(isLeave(Uint8Array.from([...BYTES, 0]))).toBe(false);
  expect(isLeave(Uint8Array.from([1, ...BYTES.subarray(1)]))).toBe(false);
  expect(isLeave(Uint8Array.from([...BYTES.subarray(0, 4), 0xff, ...BYTES.subarray(5)]))).toBe(
    false,
  );
});
