/** Flows whose packets do not hash to their bucket: with any of them, nothing is dropped early. */
import { beforeEach, describe, expect, test } from "vitest";
import { type Flow, inverse, type Replicated } from "../../../src/cluster/flows/record.js";
import { Detours } from "../../../src/cluster/sync/detours.js";
import { flow } from "../flows/flows.js";

const NAT = Uint8Array.of(192, 168, 1, 5);
const OTHER = Uint8Array.of(192, 168, 1, 6);
const MAX = 3;

const plain = flow(1, 0);
const reply = (changes: Partial<Flow["reply"]>) => ({ ...inverse(plain.original), ...changes });
const master = { ...plain.original, protocol: 6 };
const echo = {
  ...flow(2, 0),
  protocol: 1,
  original: { ...plain.original, srcPort: 77, dstPort: 0x800 },
  reply: { ...inverse(plain.original), srcPort: 77, dstPort: 0 },
};

const alive = (record: Replicated) => ({ kind: "alive", record }) as const;
const gone = (record: Replicated) => ({ kind: "gone", record }) as const;

describe("detours", () => {
  let detours: Detours;

  beforeEach(() => {
    detours = new Detours([NAT], MAX);
    detours.onDump([]);
  });

  const cases: [what: string, record: Flow, isDetour: boolean][] = [
    ["a plain connection", plain, false],
    ["a ping", echo, false],
    ["a connection with a helper", { ...plain, helper: "ftp" }, true],
    ["an expected connection", { ...plain, master }, true],
    ["one whose destination others translate", { ...plain, reply: reply({ src: OTHER }) }, true],
    ["one whose port others translate", { ...plain, reply: reply({ srcPort: 8080 }) }, true],
    ["one whose source others translate", { ...plain, reply: reply({ dst: OTHER }) }, true],
    ["one that `nat` translates", { ...plain, reply: reply({ dst: NAT, dstPort: 4000 }) }, false],
    ["one that both translate", { ...plain, reply: reply({ src: OTHER, dst: NAT }) }, true],
    ["a ping with another id", { ...echo, reply: { ...echo.reply, srcPort: 78 } }, true],
  ];

  test.each(cases)("%s", (_, record, isDetour) => {
    detours.onEvents([alive(record)]);
    expect(detours.areNone).toBe(!isDetour);
    // A later event tells less of it, and changes nothing.
    detours.onEvents([alive({ ...record, helper: "", master: null })]);
    expect(detours.areNone).toBe(!isDetour);
    detours.onEvents([gone(record)]);
    expect(detours.areNone).toBe(true);
    detours.onDump([record]);
    expect(detours.areNone).toBe(!isDetour);
  });

  test("an expectation", () => {
    const { original } = plain;
    const expectation: Replicated = {
      ...{ kind: "expectation", protocol: 6, bucket: 0, zone: 0, timeoutClass: 9, helper: "" },
      ...{ original, mask: original, master, flags: 0, class: 0, fn: "", nat: null },
    };
    detours.onEvents([alive(expectation)]);
    expect(detours.areNone).toBe(false);
    detours.onEvents([gone(expectation)]);
    expect(detours.areNone).toBe(true);
  });

  test("nothing is known before the table was read, and after events were lost", () => {
    expect(new Detours([], MAX).areNone).toBe(false);
    detours.onLoss();
    expect(detours.areNone).toBe(false);
    detours.onDump([plain]);
    expect(detours.areNone).toBe(true);
  });

  test("what events tell while the table is read is not forgotten, what was before is", () => {
    const [before, meanwhile] = [1, 2].map((index) => ({ ...flow(index, 0), helper: "ftp" }));
    detours.onEvents([alive(before as Flow)]);
    detours.onLoss();
    detours.onEvents([alive(meanwhile as Flow)]);
    detours.onDump([plain]);
    expect(detours.areNone).toBe(false);
    detours.onEvents([gone(meanwhile as Flow)]);
    expect(detours.areNone).toBe(true);
  });

  test("too many to remember: it is not known until the table is read", () => {
    const many = Array.from({ length: MAX + 1 }, (_, index) => ({
      ...flow(index, 0),
      helper: "ftp",
    }));
    detours.onEvents(many.map(alive));
    detours.onEvents(many.map(gone));
    expect(detours.areNone).toBe(false);
    detours.onDump([]);
    expect(detours.areNone).toBe(true);
  });
});
