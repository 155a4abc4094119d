/** Between the kernel's records and what is replicated: nothing that a replica needs is lost. */
import { describe, expect, test } from "vitest";
import type { Expectation, Flow } from "../../../src/cluster/flows/record.js";
import { flowOf, writeRecordOf } from "../../../src/cluster/sync/convert.js";
import { expectationOf, writeExpectation } from "../../../src/cluster/sync/convert-expectation.js";
import { isReplicable } from "../../../src/cluster/sync/filter.js";
import { IPS, SCTP_STATES } from "../../../src/kernel/conntrack/constants.js";
import { newExpectation, newFlow, PRESENT } from "../../../src/kernel/conntrack/record.js";
import { MarkField } from "../../../src/state/mark-field.js";
import { flow } from "../flows/flows.js";

const FIELD = new MarkField(0xffff0000);
const SCTP = 132;
const bytes = (...octets: number[]) => Uint8Array.from(octets);
const IPV6 = (last: number) => bytes(0x20, 1, 0x0d, 0xb8, ...Array(11).fill(0), last);

/** A time-out that a record holds exactly, and what the kernel tells of a status. */
const TAGGED: Partial<Flow> = {
  ...{ protocol: SCTP, vtags: [0xdeadbeef, 1], status: 6, timeoutClass: 40 },
};
const MASTER = { protocol: 6, ...flow(1, 3).original };
const V4: Expectation = {
  ...{ kind: "expectation", protocol: 6, bucket: 3, zone: 2, timeoutClass: 33, helper: "ftp" },
  original: { src: bytes(192, 0, 2, 1), dst: bytes(10, 0, 0, 1), srcPort: 0, dstPort: 4242 },
  mask: {
    src: bytes(255, 255, 255, 255),
    dst: bytes(255, 255, 255, 255),
    ...{ srcPort: 0, dstPort: 65535 },
  },
  ...{ master: MASTER, flags: 2, class: 1, fn: "nat-follow-master" },
  nat: { src: bytes(10, 0, 0, 1), dst: bytes(0, 0, 0, 0), srcPort: 7, dstPort: 0, direction: 1 },
};
const V6: Expectation = {
  ...V4,
  original: { src: IPV6(1), dst: IPV6(2), srcPort: 0, dstPort: 4242 },
  mask: { src: IPV6(255), dst: IPV6(255), srcPort: 0, dstPort: 65535 },
  master: { protocol: 6, src: IPV6(2), dst: IPV6(1), srcPort: 9, dstPort: 21 },
  ...{ fn: "", nat: null, class: 0 },
};

function throughKernel(given: Flow): Flow | null {
  const record = newFlow();
  writeRecordOf(given, FIELD, record);
  return flowOf(record, FIELD);
}

describe("flows", () => {
  test("one that was expected is written with the bit that the kernel demands", () => {
    const record = newFlow();
    const expected = flow(2, 3, { master: MASTER, timeoutClass: 40 });
    writeRecordOf(expected, FIELD, record);
    expect(record.status & IPS.EXPECTED).toBe(IPS.EXPECTED);
    expect(flowOf(record, FIELD)).toEqual({ ...expected, status: 6 });
  });

  test("SCTP keeps its verification tags, in each state", () => {
    const association = flow(1, 3, TAGGED);
    for (const state of ["opening", "established", "closing", "over"] as const) {
      expect(throughKernel({ ...association, state })).toEqual({ ...association, state });
    }
  });

  test("each state of SCTP has a meaning, and a change without one says nothing", () => {
    const record = newFlow();
    writeRecordOf(flow(1, 3, { protocol: SCTP }), FIELD, record);
    const states = SCTP_STATES.map((_, state) => flowOf({ ...record, state }, FIELD)?.state);
    expect(states.join(" ")).toBe(
      "opening over opening opening established closing closing closing opening",
    );
    const silent = { ...record, present: record.present & ~PRESENT.PROTOINFO };
    expect(flowOf(silent, FIELD)?.state).toBe("none");
  });
});

describe("expectations", () => {
  test.each([V4, V6])("there and back", (expectation) => {
    const record = newExpectation();
    writeExpectation(expectation, record);
    expect(expectationOf(record, 3)).toEqual(expectation);
  });

  const isWanted = isReplicable([6, 17]);

  test("are replicated where both protocols are", () => {
    expect([V4, V6].map(isWanted)).toEqual([true, true]);
    expect(isWanted({ ...V4, protocol: 47 })).toBe(false);
    expect(isWanted({ ...V4, master: { ...MASTER, protocol: SCTP } })).toBe(false);
  });

  test("may be from anybody, never to anybody, and never mix families", () => {
    const anybody = { ...V4.original, src: bytes(0, 0, 0, 0) };
    const open = { ...V4.mask, src: bytes(0, 0, 0, 0) };
    expect(isWanted({ ...V4, original: anybody, mask: open })).toBe(true);
    expect(isWanted({ ...V4, original: anybody })).toBe(false);
    const toAnybody = { ...V4.original, dst: bytes(0, 0, 0, 0) };
    expect(isWanted({ ...V4, original: toAnybody, mask: open })).toBe(false);
    expect(isWanted({ ...V4, master: V6.master })).toBe(false);
    expect(isWanted({ ...V4, mask: V6.mask })).toBe(false);
    expect(isWanted({ ...V6, nat: V4.nat })).toBe(false);
  });
});
