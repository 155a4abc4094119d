/** Decoders on literal bytes and on every truncation of them. */
import { describe, expect, test } from "vitest";
import { decodeExpectation, decodeFlow } from "../../../src/kernel/conntrack/decode.js";
import { newExpectation, newFlow, PRESENT } from "../../../src/kernel/conntrack/record.js";
import { addressText } from "../../../src/kernel/conntrack/tuple.js";
import { EXPECTATION, FLOW, hex, ORIGINAL } from "../../fixture/conntrack-bytes.js";
import { testdataJson, withTestdata } from "../../fixture/testdata.js";

describe("a flow", () => {
  test("is read field by field", () => {
    const flow = newFlow();
    expect(decodeFlow(FLOW, 0, FLOW.length, flow)).toBe("");
    expect(flow).toMatchObject({
      present: Object.values(PRESENT).reduce((all, bit) => all | bit, 0),
      status: 0x19e,
      timeoutS: 120,
      mark: 0x50000,
      use: 1,
      id: 0xdeadbeef,
      zone: 7,
      helper: "ftp",
      state: 3,
      wscaleOriginal: 7,
      wscaleReply: 10,
      flagsOriginal: 0x23,
      flagsReply: 0x2b,
      original: { family: 4, protocol: 6, srcPort: 1234, dstPort: 80 },
      reply: { family: 4, protocol: 6, srcPort: 80, dstPort: 20000 },
      master: { family: 0 },
      shiftOriginal: { correctionPos: 100, offsetBefore: -1, offsetAfter: 5 },
      shiftReply: { correctionPos: 0, offsetBefore: 0, offsetAfter: 0 },
    });
    expect(addressText(flow.original.src, 4)).toBe("10.0.0.1");
    expect(addressText(flow.reply.dst, 4)).toBe("10.0.0.9");
  });

  test("leaves nothing of itself in the record that is used again", () => {
    const flow = newFlow();
    decodeFlow(FLOW, 0, FLOW.length, flow);
    const small = hex(ORIGINAL);
    expect(decodeFlow(small, 0, small.length, flow)).toBe("");
    const fresh = newFlow();
    decodeFlow(small, 0, small.length, fresh);
    expect(flow).toEqual(fresh);
  });

  test("of a newer kernel is read past what we do not know", () => {
    const strange = hex("0800 ff3f 01020304", "0500 fe00 01 000000", ORIGINAL, "0400 fd00");
    const flow = newFlow();
    expect(decodeFlow(strange, 0, strange.length, flow)).toBe("");
    expect(flow.original.dstPort).toBe(80);
  });

  test("cut anywhere within an attribute is refused, cut between attributes is not", () => {
    const borders = new Set<number>();
    for (let at = 0; at < FLOW.length; at += (FLOW.readUInt16LE(at) + 3) & ~3) borders.add(at);
    const flow = newFlow();
    for (let length = 1; length < FLOW.length; length++) {
      const error = decodeFlow(FLOW, 0, length, flow);
      const isPadding = length > 0 && isPaddingOf(borders, length);
      expect([length, error !== ""]).toEqual([length, !borders.has(length) && !isPadding]);
    }
    expect(decodeFlow(FLOW, 0, 0, flow)).toBe("no original tuple");
  });

  /** The zone's value ends two bytes before the next attribute: those two may be missing. */
  function isPaddingOf(borders: ReadonlySet<number>, length: number): boolean {
    const start = Math.max(...[...borders].filter((at) => at < length));
    return length - start >= FLOW.readUInt16LE(start);
  }

  test.each([
    ["a length below the header", hex("0300 0800 00000000")],
    ["a mark of three bytes", hex(ORIGINAL, "0700 0800 000000 00")],
    ["an address of three bytes", hex("1000 0180 0c00 0180 0700 0100 0a0000 00")],
    ["a nested attribute longer than its parent", hex("0c00 0180 4000 0180 0800 0100")],
  ])("with %s is refused", (_, bytes) => {
    expect(decodeFlow(bytes, 0, bytes.length, newFlow())).not.toBe("");
  });
});

test("an expectation is read field by field, and refused when it is cut in an attribute", () => {
  const record = newExpectation();
  expect(decodeExpectation(EXPECTATION, 0, EXPECTATION.length, record)).toBe("");
  expect(record).toMatchObject({
    master: { srcPort: 1234 },
    tuple: { dstPort: 80 },
    mask: { protocol: 6 },
    timeoutS: 60,
    id: 9,
    helper: "ftp",
    flags: 1,
    class: 2,
    natDirection: 1,
    natTuple: { family: 4, srcPort: 1234 },
  });
  for (let length = EXPECTATION.length - 63; length < EXPECTATION.length; length++) {
    expect(decodeExpectation(EXPECTATION, 0, length, record)).not.toBe("");
  }
});

withTestdata("requests of conntrack(8), captured elsewhere", () => {
  interface Row {
    readonly name: string;
    readonly payload_hex: string;
  }
  const FAMILY_BYTES = 4;
  const { rows } = testdataJson<{ rows: Row[] }>("vectors/conntrack_netlink.json");
  const named = (name: string) => {
    const row = rows.find((each) => each.name === name) as Row;
    const flow = newFlow();
    const bytes = Buffer.from(row.payload_hex, "hex");
    expect(decodeFlow(bytes, FAMILY_BYTES, bytes.length, flow)).toBe("");
    return flow;
  };

  test("a TCP flow over IPv4", () => {
    const flow = named("test_delete_conntrack_tcp_ipv4");
    expect(addressText(flow.original.src, 4)).toBe("10.255.160.124");
    expect(addressText(flow.original.dst, 4)).toBe("140.82.113.26");
    expect(flow).toMatchObject({ original: { srcPort: 39640, dstPort: 443 }, state: 3 });
    expect(flow).toMatchObject({ status: 0x18e, wscaleOriginal: 10, flagsReply: 0x23 });
  });

  test("a UDP flow over IPv6", () => {
    const flow = named("test_delete_conntrack_udp_ipv6");
    expect(addressText(flow.original.src, 6)).toBe("2409:40c4:2c:433d:8a2b:74e7:61f9:d824");
    expect(addressText(flow.reply.src, 6)).toBe("2404:6800:4007:839::200a");
    expect(flow.reply).toMatchObject({ family: 6, protocol: 17, srcPort: 443, dstPort: 36289 });
  });

  test("a flow to be made", () => {
    const flow = named("test_new_conntrack");
    expect(flow).toMatchObject({ timeoutS: 60, state: 1, flagsOriginal: 10, status: 0 });
  });
});
