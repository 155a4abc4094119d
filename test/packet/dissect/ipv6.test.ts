import { describe, expect, test } from "vitest";
import { EXTENSION_HEADERS_MAX } from "../../../src/packet/dissect/ipv6.js";
import { A6, B6, expectTruncation, hex, ipv6, seen } from "../../fixture/dissected.js";

const UDP = "04d2 0035 0008 0000";
const TUPLE = `17 ${A6} 1234 > ${B6} 53 opens`;

/** Extension headers in front of a UDP header; `next` is the type of the first. */
const chain = (next: number, ...headers: string[]) =>
  seen(ipv6(next, hex(`${headers.join(" ")} ${UDP}`)));

describe("IPv6 header", () => {
  test("1. a UDP datagram", () => expect(chain(17)).toBe(TUPLE));

  test("2. every truncation of the capture", () => {
    expectTruncation(ipv6(17, hex(UDP)), 48);
    expectTruncation(ipv6(0, hex(`3c00 0104 00000000 1100 0104 00000000 ${UDP}`)), 64);
  });

  test("3. a payload length beyond or before the header", () => {
    const packet = ipv6(17, hex(UDP));
    packet[5] = 7;
    expect(seen(packet)).toBe("malformed");
    packet[5] = 0;
    expect(seen(packet)).toBe("malformed");
  });

  test("4. no next header", () => expect(chain(59)).toBe(`59 ${A6} 0 > ${B6} 0 opens`));
});

describe("extension headers", () => {
  test.each([
    ["hop-by-hop", 0, "1100 0104 00000000"],
    ["destination options, 16 bytes", 60, "1101 010c 00000000 0000000000000000"],
    ["routing", 43, "1100 0400 00000000"],
    ["AH, 4-byte units", 51, "1104 0000 00000001 00000001 000000000000000000000000"],
    ["atomic fragment", 44, "1100 0000 00000001"],
  ])("5. stepped over: %s", (_, next, header) => expect(chain(next, header)).toBe(TUPLE));

  test.each([
    ["first fragment", "1100 0001 00000001"],
    ["later fragment", "1100 0009 00000001"],
    ["last fragment", "1100 0008 00000001"],
  ])("6. %s", (_, header) => expect(chain(44, header)).toBe("fragment"));

  test("7. a header longer than the packet", () => {
    expect(chain(0, "11ff 0104 00000000")).toBe("malformed");
    expect(chain(0, "3b02 0104 00000000")).toBe("malformed");
  });

  test("8. ESP and mobility end the chain", () => {
    expect(chain(50)).toBe(`50 ${A6} 0 > ${B6} 0 opens`);
    expect(chain(135)).toBe(`135 ${A6} 0 > ${B6} 0 opens`);
  });

  test("9. as many headers as allowed, and one more", () => {
    const options = (count: number) => [
      ...Array<string>(count - 1).fill("3c00 0104 00000000"),
      "1100 0104 00000000",
    ];
    expect(chain(60, ...options(EXTENSION_HEADERS_MAX))).toBe(TUPLE);
    expect(chain(60, ...options(EXTENSION_HEADERS_MAX + 1))).toBe("unsupported");
  });
});
