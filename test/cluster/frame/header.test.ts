import { describe, expect, test } from "vitest";
import {
  encodeHeader,
  HEADER_BYTES,
  headerFault,
  readHeader,
} from "../../../src/cluster/frame/header.js";

const BYTES = Uint8Array.from([
  ...[0x53, 0x57, 0x41, 0x4c, 0x01, 0x03, 0x02, 0x00],
  ...[0xde, 0xad, 0xbe, 0xef],
  ...[0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08],
  ...[0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x05],
]);
const HEADER = {
  sender: 3,
  link: 2,
  cluster: 0xdeadbeef,
  incarnation: 0x0102030405060708n,
  counter: 0x1_0000_0005,
};

describe("header", () => {
  test("literal bytes, both ways", () => {
    expect(headerFault(BYTES)).toBeNull();
    expect(readHeader(BYTES)).toEqual(HEADER);
    expect(encodeHeader(HEADER)).toEqual(BYTES);
  });

  test("every truncation is too short", () => {
    for (let length = 0; length < HEADER_BYTES; length++) {
      expect(headerFault(BYTES.subarray(0, length))).toBe("tooShort");
    }
  });

  test("another magic, another version", () => {
    expect(headerFault(changed(0, 0))).toBe("badMagic");
    expect(headerFault(changed(3, 0x4d))).toBe("badMagic");
    expect(headerFault(changed(4, 2))).toBe("badVersion");
  });

  test("is read where it lies in a larger buffer", () => {
    const padded = new Uint8Array(40);
    padded.set(BYTES, 7);
    expect(readHeader(padded.subarray(7, 35))).toEqual(HEADER);
  });
});

function changed(at: number, value: number): Uint8Array {
  const bytes = BYTES.slice();
  bytes[at] = value;
  return bytes;
}
