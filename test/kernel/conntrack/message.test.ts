/** Datagrams of several messages: literal, cut anywhere, changed at random, noise. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readDatagram, type Visitor } from "../../../src/kernel/conntrack/message.js";
import { EXPECTATION, FLOW, hex } from "../../fixture/conntrack-bytes.js";

/** Counts what it is told. */
class Told implements Visitor {
  readonly heard: string[] = [];
  flow = (change: string) => void this.heard.push(`flow ${change}`);
  expectation = (change: string) => void this.heard.push(`expectation ${change}`);
  answer = (sequence: number, errno: number) => void this.heard.push(`${sequence}: ${errno}`);
  done = () => void this.heard.push("done");
  interrupted = () => void this.heard.push("interrupted");
  malformed = () => void this.heard.push("malformed");
}

function told(bytes: Buffer): string[] {
  const visitor = new Told();
  readDatagram(bytes, 0, bytes.length, visitor);
  return visitor.heard;
}

/** A message: header, nfgenmsg and attributes. */
function message(type: number, flags: number, attributes: Buffer): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt32LE(20 + attributes.length, 0);
  head.writeUInt16LE(type, 4);
  head.writeUInt16LE(flags, 6);
  head.writeUInt32LE(1, 8);
  return Buffer.concat([head, attributes]);
}

describe("a datagram", () => {
  test.each([
    ["flow new", message(0x100, 0x600, FLOW)],
    ["flow update", message(0x100, 0, FLOW)],
    ["flow destroy", message(0x102, 0, FLOW)],
    ["expectation new", message(0x200, 0x600, EXPECTATION)],
    ["expectation destroy", message(0x202, 0, EXPECTATION)],
    ["1: 17", message(2, 0, Buffer.alloc(4)).fill(hex("efffffff"), 16, 20)],
    ["done", message(3, 0, Buffer.alloc(0))],
  ])("tells %s", (what, bytes) => {
    expect(told(bytes)).toEqual([what]);
    expect(told(Buffer.concat([bytes, bytes]))).toEqual([what, what]);
  });

  test("tells that a dump was interrupted", () => {
    expect(told(message(0x100, 0x12, FLOW))).toEqual(["interrupted", "flow update"]);
  });

  test("cut anywhere is told as malformed, and what was whole before it is told", () => {
    const first = message(0x100, 0x600, FLOW);
    const both = Buffer.concat([first, message(0x102, 0, FLOW)]);
    for (let length = first.length + 1; length < both.length; length++) {
      expect(told(both.subarray(0, length))).toEqual(["flow new", "malformed"]);
    }
  });

  test("of noise never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void told(Buffer.from(bytes))),
    );
  });

  test("with any bytes behind its header changed tells a flow or says that it is malformed", () => {
    const good = message(0x100, 0x600, FLOW);
    const place = fc.integer({ min: 16, max: good.length - 1 });
    const change = fc.array(fc.tuple(place, fc.nat({ max: 255 })), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(change, (changes) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of changes) bytes[at] = value;
        expect(told(bytes)).toEqual([expect.stringMatching(/^(flow new|malformed)$/)]);
      }),
      { numRuns: 2000 },
    );
  });
});
