/** Requests to the table as literal bytes, and read back by our own decoder. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFlow } from "../../../src/kernel/conntrack/decode.js";
import {
  REQUEST_BYTES_MAX,
  writeArm,
  writeCreate,
  writeDelete,
  writeDump,
  writeFlush,
  writeGet,
  writeUpdate,
} from "../../../src/kernel/conntrack/encode.js";
import { writeCreateExpectation } from "../../../src/kernel/conntrack/encode-expectation.js";
import {
  type FlowRecord,
  newExpectation,
  newFlow,
  PRESENT,
} from "../../../src/kernel/conntrack/record.js";
import { inverseOf } from "../../../src/kernel/conntrack/tuple.js";
import { NetlinkWriter } from "../../../src/kernel/netlink.js";

const HEADER_BYTES = 20;

function bytesOf(write: (writer: NetlinkWriter) => void): Buffer {
  const writer = new NetlinkWriter(REQUEST_BYTES_MAX);
  write(writer);
  return writer.bytes.subarray(0, writer.length);
}

/** UDP 10.0.0.1:1234 -> 10.0.0.2:53 */
function udpFlow(): FlowRecord {
  const flow = newFlow();
  Object.assign(flow.original, { family: 4, protocol: 17, srcPort: 1234, dstPort: 53 });
  flow.original.src.set([10, 0, 0, 1]);
  flow.original.dst.set([10, 0, 0, 2]);
  return { ...flow, reply: inverseOf(flow.original), timeoutS: 30, mark: 0x50000, status: 0x18e };
}

const ORIGINAL =
  "34000180 14000180 080001000a000001 080002000a000002" +
  "1c000280 0500010011000000 0600020004d20000 0600030000350000";
const REPLY =
  "34000280 14000180 080001000a000002 080002000a000001" +
  "1c000280 0500010011000000 0600020000350000 0600030004d20000";
const hex = (text: string) => text.replaceAll(" ", "");

describe("a request", () => {
  test("to create a flow", () => {
    const bytes = bytesOf((writer) => writeCreate(writer, udpFlow()));
    expect(bytes.toString("hex")).toBe(
      hex(
        `94000000 0001 0106 01000000 00000000 02000000${ORIGINAL}${REPLY}` +
          "08000700 0000001e 08000300 0000000e 08000800 00050000",
      ),
    );
  });

  test("to create a translated flow gives the plain answer and the translation", () => {
    const flow = udpFlow();
    flow.reply.dst.set([10, 0, 0, 9]);
    flow.reply.dstPort = 20000;
    flow.reply.src.set([10, 0, 0, 8]);
    const text = bytesOf((writer) => writeCreate(writer, flow)).toString("hex");
    expect(text).toContain(hex(REPLY));
    const port = "14000380 060001004e200000 060002004e200000";
    expect(text).toContain(hex(`28000680 080001000a000009 080002000a000009 ${port}`));
    const same = "14000380 0600010000350000 0600020000350000";
    expect(text).toContain(hex(`28000d80 080001000a000008 080002000a000008 ${same}`));
  });

  test("to delete a flow, with its id or without", () => {
    const plain = bytesOf((writer) => writeDelete(writer, udpFlow()));
    expect(plain.toString("hex")).toBe(
      hex(`48000000 0201 0100 01000000 00000000 02000000 ${ORIGINAL}`),
    );
    const exact = bytesOf((writer) => writeDelete(writer, { ...udpFlow(), id: 7, zone: 3 }));
    expect(exact.toString("hex")).toContain(hex("06001200 00030000 08000c00 00000007"));
  });

  test("to change a flow holds only what is present", () => {
    const flow = { ...udpFlow(), present: PRESENT.TIMEOUT };
    const bytes = bytesOf((writer) => writeUpdate(writer, flow));
    expect(bytes.toString("hex")).toBe(
      hex(`50000000 0001 0100 01000000 00000000 02000000 ${ORIGINAL} 08000700 0000001e`),
    );
  });

  test("a TCP flow that is created or changed is tolerant of windows", () => {
    const flow = { ...udpFlow(), present: PRESENT.PROTOINFO, state: 3, flagsOriginal: 0x33 };
    flow.original.protocol = 6;
    const flags = (bytes: Buffer) => {
      const found = /06000400(....)000006000500(....)/.exec(bytes.toString("hex"));
      return found?.slice(1);
    };
    expect(flags(bytesOf((writer) => writeUpdate(writer, flow)))).toEqual(["0b0f", "080f"]);
    expect(flags(bytesOf((writer) => writeCreate(writer, flow)))).toEqual(["0b0f", "080f"]);
  });

  test("for all flows, and for those with a mark", () => {
    expect(bytesOf((writer) => writeDump(writer, null)).toString("hex")).toBe(
      hex("14000000 0101 0103 01000000 00000000 00000000"),
    );
    const filter = { value: 0x50000, mask: 0xffff0000 };
    expect(bytesOf((writer) => writeDump(writer, filter)).toString("hex")).toBe(
      hex("24000000 0101 0103 01000000 00000000 00000000 08000800 00050000 08001500 ffff0000"),
    );
  });

  test("to prepare a helper names the helper and changes nothing else", () => {
    const bytes = bytesOf((writer) => writeArm(writer, { ...udpFlow(), helper: "sip", zone: 3 }));
    expect(bytes.toString("hex")).toBe(
      hex(
        `5c000000 0001 0100 01000000 00000000 02000000 ${ORIGINAL}` +
          "06001200 00030000 0c000580 08000100 73697000",
      ),
    );
  });

  test("for one flow", () => {
    const bytes = bytesOf((writer) => writeGet(writer, udpFlow().original));
    expect(bytes.toString("hex")).toBe(
      hex(`48000000 0101 0100 01000000 00000000 02000000 ${ORIGINAL}`),
    );
  });

  test("to create an expectation names a helper only beside a class", () => {
    const { original } = udpFlow();
    const record = Object.assign(newExpectation(), { helper: "sip", timeoutS: 9 });
    for (const each of [record.master, record.tuple, record.mask]) Object.assign(each, original);
    const text = () => bytesOf((writer) => writeCreateExpectation(writer, record)).toString("hex");
    const name = hex("08000600 73697000");
    expect(text()).not.toContain(name);
    record.class = 1;
    expect(text()).toContain(hex("08000900 00000001") + name);
  });

  test("to delete all flows is refused", () => {
    const all = { value: 0, mask: 0 };
    expect(() => bytesOf((writer) => writeFlush(writer, all))).toThrow(/empty the table/);
  });
});

const word = fc.nat({ max: 0xffffffff });
const byte = fc.nat({ max: 255 });
const port = fc.integer({ min: 1, max: 65535 });
const tuple = fc.record({
  family: fc.constantFrom(4, 6),
  protocol: fc.constantFrom(1, 6, 17, 58, 132),
  src: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  dst: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  ports: fc.tuple(port, port),
});

test("what is created is what is read back", () => {
  const values = fc.record({
    mark: word,
    timeoutS: word,
    zone: port,
    state: byte,
    vtagReply: word,
  });
  fc.assert(
    fc.property(tuple, values, (ends, fields) => {
      const flow = Object.assign(newFlow(), fields, { present: PRESENT.PROTOINFO });
      const { family, protocol, ports } = ends;
      const isIcmp = protocol === 1 || protocol === 58;
      const key = isIcmp ? { icmpId: ports[0] } : { srcPort: ports[0], dstPort: ports[1] };
      Object.assign(flow.original, { family, protocol, ...key });
      const length = family === 4 ? 4 : 16;
      flow.original.src.set(ends.src.subarray(0, length));
      flow.original.dst.set(ends.dst.subarray(0, length));
      Object.assign(flow.reply, inverseOf(flow.original));
      const bytes = bytesOf((writer) => writeCreate(writer, flow));
      const read = newFlow();
      expect(decodeFlow(bytes, HEADER_BYTES, bytes.length, read)).toBe("");
      expect(read).toMatchObject({ original: flow.original, reply: flow.reply });
      const { mark, timeoutS, zone } = flow;
      expect(read).toMatchObject({ mark, timeoutS, zone, status: 8 });
    }),
  );
});
