/** Addresses as text, and the answer that a tuple expects. */
import { expect, test } from "vitest";
import { newTuple } from "../../../src/kernel/conntrack/record.js";
import {
  addressText,
  inverseOf,
  isDestinationTranslated,
  isSourceTranslated,
} from "../../../src/kernel/conntrack/tuple.js";
import { hex } from "../../fixture/conntrack-bytes.js";

test.each([
  ["0a00 0001".padEnd(36, "0"), 4, "10.0.0.1"],
  ["0".repeat(32), 6, "::"],
  [`${"0".repeat(31)}1`, 6, "::1"],
  ["20010db8000000000000000000000001", 6, "2001:db8::1"],
  ["20010db8000000010000000000000001", 6, "2001:db8:0:1::1"],
  ["20010db8000100000001000000010001", 6, "2001:db8:1:0:1:0:1:1"],
  ["fe80000000000000000000000000000a", 6, "fe80::a"],
  ["20010db8000000010001000100010000", 6, "2001:db8:0:1:1:1:1:0"],
  ["20010db8000100010001000100000000", 6, "2001:db8:1:1:1:1::"],
])("the address %s of IPv%i is %s", (bytes, family, text) => {
  expect(addressText(hex(bytes), family)).toBe(text);
});

test.each([
  [1, 8, 0],
  [1, 13, 14],
  [1, 3, 3],
  [58, 128, 129],
  [58, 129, 128],
])("of protocol %i, ICMP type %i is answered by %i", (protocol, icmpType, answer) => {
  const query = Object.assign(newTuple(), { family: 4, protocol, icmpType, icmpId: 7 });
  expect(inverseOf(query)).toMatchObject({ icmpType: answer, icmpId: 7 });
});

test.each([
  ["nothing", {}, false, false],
  ["a source port", { dstPort: 2000 }, true, false],
  ["a source address", { dst: [10, 0, 0, 9] }, true, false],
  ["a destination port", { srcPort: 8080 }, false, true],
  ["a destination address", { src: [10, 0, 0, 8] }, false, true],
  ["both", { dst: [10, 0, 0, 9], src: [10, 0, 0, 8] }, true, true],
])("where %s is translated", (_, change, source, destination) => {
  const original = Object.assign(newTuple(), { family: 4, protocol: 6, srcPort: 1, dstPort: 80 });
  original.src.set([10, 0, 0, 1]);
  original.dst.set([10, 0, 0, 2]);
  const { src, dst, ...ports } = { src: [], dst: [], ...change } as Record<string, number[]>;
  const reply = Object.assign(inverseOf(original), ports);
  reply.src.set(src as number[]);
  reply.dst.set(dst as number[]);
  expect(isSourceTranslated(original, reply)).toBe(source);
  expect(isDestinationTranslated(original, reply)).toBe(destination);
});

test("an inverse has bytes of its own", () => {
  const original = newTuple();
  inverseOf(original).src[0] = 1;
  expect(original.dst[0]).toBe(0);
});
