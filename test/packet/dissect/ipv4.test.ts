import { describe, expect, test } from "vitest";
import { A4, B4, expectTruncation, hex, ipv4, seen } from "../../fixture/dissected.js";

const SYN = "04d2 0050 00000001 00000000 5002 ffff 0000 0000";
const WHOLE = `4500 0028 0001 4000 4006 0000 0a000001 c0000201 ${SYN}`;
const TUPLE = `6 ${A4} 1234 > ${B4} 80 opens`;

describe("IPv4 header", () => {
  test("1. a TCP SYN", () => expect(seen(hex(WHOLE))).toBe(TUPLE));

  test("2. every truncation of the capture", () => expectTruncation(hex(WHOLE), 40));

  test("3. options are stepped over, all 40 bytes of them", () => {
    const options = "01".repeat(40);
    const packet = hex(`4f00 0050 0001 0000 4006 0000 0a000001 c0000201 ${options} ${SYN}`);
    expect(seen(packet)).toBe(TUPLE);
    expectTruncation(packet, 80);
  });

  test("4. bytes behind the total length are none of the packet's", () => {
    expect(seen(hex(`${WHOLE} dead beef`))).toBe(TUPLE);
    const short = hex(`4500 0024 0001 0000 4006 0000 0a000001 c0000201 ${SYN}`);
    expect(seen(short)).toBe("malformed");
  });

  const head = (from: string, to: string) => seen(hex(WHOLE.replace(from, to)));
  test.each([
    ["5. header length below 20 bytes", "4500", "4400", "malformed"],
    ["6. header length beyond the total length", "4500 0028", "4f00 0028", "malformed"],
    ["7. total length below the header length", "4500 0028", "4500 0013", "malformed"],
    ["8. total length 0", "4500 0028", "4500 0000", "malformed"],
    ["9. version 5", "4500", "5500", "unsupported"],
    ["10. first fragment", "0001 4000", "0001 2000", "fragment"],
    ["11. later fragment", "0001 4000", "0001 0003", "fragment"],
    ["12. last fragment", "0001 4000", "0001 1fff", "fragment"],
    ["13. reserved bit alone is no fragment", "0001 4000", "0001 8000", TUPLE],
  ])("%s", (_, from, to, expected) => expect(head(from, to)).toBe(expected));

  test("14. unknown protocols are known by their addresses", () => {
    expect(seen(ipv4(253, hex("")))).toBe(`253 ${A4} 0 > ${B4} 0 opens`);
    expect(seen(ipv4(58, hex("0102")))).toBe(`58 ${A4} 0 > ${B4} 0 opens`);
  });

  test("15. addresses with the highest bit set stay whole", () => {
    const packet = hex(WHOLE.replace("0a000001 c0000201", "ffffffff 80000000"));
    expect(seen(packet)).toBe("6 255.255.255.255 1234 > 128.0.0.0 80 opens");
  });
});
