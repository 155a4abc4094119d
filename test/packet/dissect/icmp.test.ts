/** ICMP and ICMPv6: ids of queries, and the tuples that errors quote. */
import { describe, expect, test } from "vitest";
import {
  A4,
  A6,
  B4,
  B6,
  expectTruncation,
  hex,
  ipv4,
  ipv6,
  seen,
} from "../../fixture/dissected.js";

/**
 * From 198.51.100.7:2000 to 203.0.113.9:443; only the first eight bytes of the transport header.
 */
const QUOTED4 = "4500 05dc 0001 4000 0106 0000 c6336407 cb007109 07d0 01bb 00000001";
const QUOTE4 = "6 198.51.100.7 2000 > 203.0.113.9 443 quotes";
const ERROR4 = (quote: string) => ipv4(1, hex(`0b00 0000 00000000 ${quote}`));

/** From 2001:db8::a to 2001:db8::b. */
const ADDRESSES6 = "20010db8 0000000000000000 0000000a 20010db8 0000000000000000 0000000b";
const ERROR6 = (next: string, rest: string) =>
  ipv6(58, hex(`0100 0000 00000000 60000000 04d0 ${next}01 ${ADDRESSES6} ${rest}`));
const QUOTE6 = "20010db8-0-0-a 2000 > 20010db8-0-0-b 443 quotes";

describe("queries", () => {
  test.each([
    ["echo", "08", "opens"],
    ["echo reply", "00", "follows"],
    ["timestamp", "0d", "opens"],
    ["timestamp reply", "0e", "follows"],
    ["information", "0f", "opens"],
    ["information reply", "10", "follows"],
    ["address mask", "11", "opens"],
    ["address mask reply", "12", "follows"],
  ])("ICMP %s: the id is both ports", (_, type, kind) => {
    const packet = ipv4(1, hex(`${type}00 0000 1234 0001`));
    expect(seen(packet)).toBe(`1 ${A4} 4660 > ${B4} 4660 ${kind}`);
    expectTruncation(packet, 28);
  });

  test.each([
    ["80", "opens"],
    ["81", "follows"],
  ])("ICMPv6 echo %s", (type, kind) => {
    const packet = ipv6(58, hex(`${type}00 0000 1234 0001`));
    expect(seen(packet)).toBe(`58 ${A6} 4660 > ${B6} 4660 ${kind}`);
    expectTruncation(packet, 48);
  });

  test("types without an id", () => {
    expect(seen(ipv4(1, hex("0900 0000 1234 0001")))).toBe(`1 ${A4} 0 > ${B4} 0 opens`);
    expect(seen(ipv6(58, hex("8700 0000 1234 0001")))).toBe(`58 ${A6} 0 > ${B6} 0 opens`);
  });

  test("a header cut by the packet itself", () => {
    expect(seen(ipv4(1, hex("0800 0000 1234")))).toBe("malformed");
    expect(seen(ipv6(58, hex("8000 0000 1234")))).toBe("malformed");
  });
});

describe("ICMP errors", () => {
  test.each(["03", "04", "05", "0b", "0c"])("type %s quotes a tuple", (type) => {
    expect(seen(ipv4(1, hex(`${type}00 0000 00000000 ${QUOTED4}`)))).toBe(QUOTE4);
  });

  test("every truncation of the capture: four bytes behind the quoted IP header will do", () => {
    expectTruncation(ERROR4(QUOTED4), 52);
  });

  test("a quote that the packet itself cuts short", () => {
    expect(seen(ERROR4(""))).toBe("malformed");
    expect(seen(ERROR4(QUOTED4.slice(0, 30)))).toBe("malformed");
    expect(seen(ERROR4(QUOTED4.slice(0, -14)))).toBe("malformed");
    expect(seen(ERROR4(QUOTED4.slice(0, -9)))).toBe(QUOTE4);
  });

  test("quoted fragments: the first has ports, a later one has none", () => {
    expect(seen(ERROR4(QUOTED4.replace("0001 4000", "0001 2000")))).toBe(QUOTE4);
    expect(seen(ERROR4(QUOTED4.replace("0001 4000", "0001 0001")))).toBe("fragment");
  });

  test("a quoted echo request gives its id, a quoted error is malformed", () => {
    const inner = (type: string) =>
      `4500 001c 0001 0000 0101 0000 c6336407 cb007109 ${type}00 0000 002a 0001`;
    expect(seen(ERROR4(inner("08")))).toBe("1 198.51.100.7 42 > 203.0.113.9 42 quotes");
    expect(seen(ERROR4(inner("03")))).toBe("malformed");
  });

  test("a quoted protocol without ports", () => {
    const esp = QUOTED4.replace("0106 0000", "0132 0000");
    expect(seen(ERROR4(esp))).toBe("50 198.51.100.7 0 > 203.0.113.9 0 quotes");
  });

  test("another family or another version inside", () => {
    expect(seen(ERROR4(QUOTED4.replace("4500", "6500")))).toBe("malformed");
    expect(seen(ERROR4(QUOTED4.replace("4500", "0500")))).toBe("malformed");
  });

  test.each([6, 17, 33, 132, 136])("quoted ports of protocol %d", (protocol) => {
    const number = protocol.toString(16).padStart(2, "0");
    const quote = QUOTED4.replace("0106", `01${number}`);
    expect(seen(ERROR4(quote))).toBe(QUOTE4.replace(/^6/, String(protocol)));
  });
});

describe("ICMPv6 errors", () => {
  const ports = "07d0 01bb 00000001";

  test("quote a tuple, every truncation", () => {
    expect(seen(ERROR6("06", ports))).toBe(`6 ${QUOTE6}`);
    expectTruncation(ERROR6("06", ports), 92);
  });

  test("with extension headers inside", () => {
    expect(seen(ERROR6("3c", `1100 0104 00000000 ${ports}`))).toBe(`17 ${QUOTE6}`);
    expect(seen(ERROR6("3c", "1100 0104"))).toBe("malformed");
  });

  test("quoted fragments", () => {
    expect(seen(ERROR6("2c", `1100 0001 00000001 ${ports}`))).toBe(`17 ${QUOTE6}`);
    expect(seen(ERROR6("2c", `1100 0008 00000001 ${ports}`))).toBe("fragment");
  });

  test("a quoted echo request gives its id, a quoted error is malformed", () => {
    const echo = QUOTE6.replace("2000", "42").replace("443", "42");
    expect(seen(ERROR6("3a", "8000 0000 002a 0001"))).toBe(`58 ${echo}`);
    expect(seen(ERROR6("3a", "0300 0000 002a 0001"))).toBe("malformed");
  });

  test("another family inside", () => {
    expect(seen(ipv6(58, hex(`0100 0000 00000000 ${QUOTED4}`)))).toBe("malformed");
  });
});
