/** Transport headers: literal bytes, every truncation, every class. */
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

const TCP = (flags: string) => hex(`04d2 0050 00000001 00000000 50${flags} ffff 0000 0000`);
const PORTS = `${A4} 1234 > ${B4} 80`;

describe("TCP", () => {
  test.each([
    ["SYN", "02", "opens"],
    ["SYN ECE CWR", "c2", "opens"],
    ["SYN ACK", "12", "follows"],
    ["ACK", "10", "follows"],
    ["PSH ACK", "18", "follows"],
    ["FIN ACK", "11", "follows"],
    ["RST", "04", "follows"],
    ["RST ACK", "14", "follows"],
  ])("%s", (_, flags, kind) => {
    expect(seen(ipv4(6, TCP(flags)))).toBe(`6 ${PORTS} ${kind}`);
  });

  test.each([
    ["no flag", "00"],
    ["FIN alone", "01"],
    ["SYN FIN", "03"],
    ["SYN RST", "06"],
    ["RST FIN ACK", "15"],
    ["FIN URG PSH", "29"],
    ["PSH alone", "08"],
  ])("impossible: %s", (_, flags) => {
    expect(seen(ipv4(6, TCP(flags)))).toBe("malformed");
  });

  test("data offset below 20 bytes or beyond the packet", () => {
    const at = (offset: string) => hex(`04d2 0050 00000001 00000000 ${offset}02 ffff 0000 0000`);
    expect(seen(ipv4(6, at("40")))).toBe("malformed");
    expect(seen(ipv4(6, at("60")))).toBe("malformed");
  });

  test("options and data need not be captured", () => {
    const options = hex("04d2 0050 00000001 00000000 6002 ffff 0000 0000 020405b4 64617461");
    expectTruncation(ipv4(6, options), 40);
    expectTruncation(ipv6(6, options), 60);
  });
});

describe("UDP and UDP-Lite", () => {
  const datagram = (length: string) => hex(`04d2 0050 ${length} 0000 6162`);

  test.each([
    ["whole", 17, "000a", true],
    ["length shorter than the IP payload", 17, "0008", true],
    ["length below the header", 17, "0007", false],
    ["length 0", 17, "0000", false],
    ["length beyond the packet", 17, "000b", false],
    ["UDP-Lite, coverage of all", 136, "0000", true],
    ["UDP-Lite, coverage of the header", 136, "0008", true],
    ["UDP-Lite, coverage of less", 136, "0001", false],
    ["UDP-Lite, coverage of more than there is", 136, "000b", false],
  ])("%s", (_, protocol, length, fine) => {
    const expected = fine ? `${protocol} ${PORTS} opens` : "malformed";
    expect(seen(ipv4(protocol, datagram(length)))).toBe(expected);
  });

  test("every truncation", () => {
    expectTruncation(ipv4(17, datagram("000a")), 28);
    expectTruncation(ipv4(136, datagram("000a")), 28);
  });
});

describe("SCTP", () => {
  const chunk = (type: string, length = "0004") =>
    ipv4(132, hex(`04d2 0050 00000000 00000000 ${type}00 ${length}`));

  test.each([
    ["INIT", "01", "opens"],
    ["HEARTBEAT", "04", "opens"],
    ["INIT ACK", "02", "follows"],
    ["DATA", "00", "follows"],
    ["ABORT", "06", "follows"],
  ])("%s", (_, type, kind) => expect(seen(chunk(type))).toBe(`132 ${PORTS} ${kind}`));

  test("a chunk shorter than its own head, and no chunk at all", () => {
    expect(seen(chunk("01", "0003"))).toBe("malformed");
    expect(seen(ipv4(132, hex("04d2 0050 00000000 00000000")))).toBe("malformed");
  });

  test("every truncation", () => expectTruncation(chunk("01"), 36));
});

describe("DCCP", () => {
  const short = (type: string) => ipv4(33, hex(`04d2 0050 0300 0000 ${type} 000001`));
  const long = (offset: string) => ipv4(33, hex(`04d2 0050 ${offset}00 0000 01 000001 00000001`));

  test.each([
    ["Request", "00", "opens"],
    ["Response", "02", "follows"],
    ["Data", "04", "follows"],
    ["Reset", "0e", "follows"],
  ])("%s", (_, type, kind) => expect(seen(short(type))).toBe(`33 ${PORTS} ${kind}`));

  test("data offset against the length of the sequence number", () => {
    expect(seen(long("04"))).toBe(`33 ${PORTS} opens`);
    expect(seen(long("03"))).toBe("malformed");
    expect(seen(long("05"))).toBe("malformed");
  });

  test("every truncation", () => expectTruncation(short("00"), 32));
});

describe("protocols without ports", () => {
  test.each([
    ["GRE", 47, 4],
    ["ESP", 50, 8],
    ["AH", 51, 12],
  ])("%s", (_, protocol, size) => {
    const whole = ipv4(protocol, new Uint8Array(size));
    expect(seen(whole)).toBe(`${protocol} ${A4} 0 > ${B4} 0 opens`);
    expectTruncation(whole, 20 + size);
    expect(seen(ipv4(protocol, new Uint8Array(size - 1)))).toBe("malformed");
  });

  test("ICMP inside IPv6 is no ICMP", () => {
    expect(seen(ipv6(1, hex("0800 0000 0007 0001")))).toBe(`1 ${A6} 0 > ${B6} 0 opens`);
  });
});
