import { describe, expect, test } from "vitest";
import type { Flow } from "../../../src/cluster/flows/record.js";
import { inScope, type ScopeSettings } from "../../../src/cluster/sync/scope.js";
import { addressBytes, type Prefix, parsePrefix } from "../../../src/config/address.js";
import { flow } from "../flows/flows.js";

const ALL: ScopeSettings = {
  states: ["opening", "established", "closing"],
  ignore: [],
  only: [],
};

function prefixes(...texts: string[]): Prefix[] {
  return texts.map((text) => parsePrefix(text) as Prefix);
}

function between(src: string, dst: string, answering = dst): Flow {
  const ends = { srcPort: 1024, dstPort: 80 };
  const original = { src: addressBytes(src), dst: addressBytes(dst), ...ends };
  const reply = { src: addressBytes(answering), dst: addressBytes(src), ...ends };
  return flow(0, 0, { original, reply });
}

describe("by address", () => {
  const cases: [what: string, Flow, string[], isMatched: boolean][] = [
    ["the opener", between("10.0.0.1", "192.0.2.9"), ["10.0.0.0/8"], true],
    ["the addressee", between("10.0.0.1", "192.0.2.9"), ["192.0.2.8/31"], true],
    ["who answers", between("10.0.0.1", "192.0.2.9", "172.16.0.3"), ["172.16.0.0/12"], true],
    ["one bit beside it", between("10.0.0.1", "192.0.2.9"), ["192.0.2.10/31"], false],
    ["a single host", between("10.0.0.1", "192.0.2.9"), ["10.0.0.1/32"], true],
    ["its neighbour", between("10.0.0.1", "192.0.2.9"), ["10.0.0.2/32"], false],
    ["every IPv4 address", between("10.0.0.1", "192.0.2.9"), ["0.0.0.0/0"], true],
    ["every IPv6 address, of an IPv4 flow", between("10.0.0.1", "192.0.2.9"), ["::/0"], false],
    ["IPv6", between("2001:db8::1", "2001:db8:f::2"), ["2001:db8:f::/48"], true],
    ["IPv6 in the middle of a byte", between("2001:db8::1", "2001:db8:f::2"), ["3000::/4"], false],
    ["the second of two", between("10.0.0.1", "192.0.2.9"), ["1.0.0.0/8", "10.0.0.0/8"], true],
  ];

  test.each(cases)("%s: ignore", (_, record, texts, isMatched) => {
    expect(inScope({ ...ALL, ignore: prefixes(...texts) })(record)).toBe(!isMatched);
  });

  test.each(cases)("%s: only", (_, record, texts, isMatched) => {
    expect(inScope({ ...ALL, only: prefixes(...texts) })(record)).toBe(isMatched);
  });

  test("ignore goes before only", () => {
    const scope = { only: prefixes("10.0.0.0/8"), ignore: prefixes("10.1.0.0/16") };
    const isWanted = inScope({ ...ALL, ...scope });
    expect(isWanted(between("10.0.0.1", "192.0.2.9"))).toBe(true);
    expect(isWanted(between("10.1.0.1", "192.0.2.9"))).toBe(false);
  });
});

describe("by state", () => {
  const isWanted = inScope({ ...ALL, states: ["established"] });

  test.each([
    ["opening", 6, false],
    ["established", 6, true],
    ["closing", 6, false],
    ["none", 6, true],
    ["none", 17, true],
    ["none", 132, true],
  ] as const)("%s of protocol %i: %s", (state, protocol, wanted) => {
    expect(isWanted(flow(0, 0, { state, protocol }))).toBe(wanted);
  });
});
