/** What the demo prints: while it runs, and at its end. */
import { describe, expect, test } from "vitest";
import type { Run } from "../../src/api/report.js";
import { brokenPromises, type Outcome, resultOf, summaryOf } from "../../src/demo/outcome.js";
import { bar, type Frame, Show } from "../../src/demo/show.js";

const FRAME: Frame = {
  buckets: 256,
  rows: [
    { id: 1, state: "active", range: [[0, 127]], accepted: 9, dropped: 8, hitsPerSecond: 70.4 },
    { id: 2, state: "stopped", range: [], accepted: 0, dropped: 0, hitsPerSecond: 0 },
  ],
  hits: 12,
  failed: 1,
};

describe("a range as a bar", () => {
  const cases: [Run[], number, string][] = [
    [[], 16, "...."],
    [[[0, 15]], 16, "####"],
    [[[0, 5]], 16, "#+.."],
    [[[3, 4]], 16, "++.."],
    [
      [
        [0, 3],
        [12, 15],
      ],
      16,
      "#..#",
    ],
    [[[1, 1]], 2, "..##"],
  ];
  test.each(cases)("%j of %i buckets", (range, buckets, text) => {
    expect(bar(range, buckets, 4)).toBe(text);
  });
});

describe("without a terminal", () => {
  test("events and at most one line a second", () => {
    let now = 5000;
    let text = "";
    const show = new Show({ write: (more) => (text += more) }, () => now);
    show.event("begin");
    show.frame(FRAME);
    now += 999;
    show.frame(FRAME);
    now += 1;
    show.frame(FRAME);
    const line = "hits 12 failed 1  1:active 0-127 70/s  2:stopped none 0/s";
    expect(text).toBe(`   0.00 s  begin\n   0.00 s  ${line}\n   1.00 s  ${line}\n`);
  });
});

describe("on a terminal", () => {
  function shown(columns: number) {
    const written: string[] = [];
    const screen = { isTTY: true, columns, write: (text: string) => written.push(text) };
    return { written, show: new Show(screen, () => 0) };
  }

  test("the picture is drawn over itself, events stay above it", () => {
    const { written, show } = shown(200);
    show.frame(FRAME);
    const picture = written[0] as string;
    expect(picture.split("\n")).toHaveLength(5);
    show.event("killed");
    const erase = "\x1b[4A\r\x1b[J";
    expect(written.slice(1)).toEqual([erase, "   0.00 s  killed\n", picture]);
  });

  test("no line is as wide as the screen, where it would wrap", () => {
    const { written, show } = shown(40);
    show.frame(FRAME);
    const widths = (written[0] as string).split("\n").map((line) => line.length);
    expect(Math.max(...widths)).toBe(39);
  });
});

describe("the outcome", () => {
  const good: Outcome = {
    nodes: 2,
    client: {
      type: "end",
      hits: 30,
      failed: 3,
      reasons: { timeout: 2, ECONNRESET: 1 },
      latencyMs: { p50: 1.24, p99: 9, max: 1031.4 },
    },
    seen: { hitsByNode: { 1: 20, 2: 11 }, acceptedTwice: 1, overlapPackets: 4, untracked: 0 },
    takeoverMs: 187.26,
    rejoinMs: 1004.04,
    fault: null,
  };

  test("as JSON has the agreed keys in the agreed order", () => {
    expect(JSON.stringify(resultOf(good))).toBe(
      '{"nodes":2,"hits":30,"failed":3,"hitsByNode":{"1":20,"2":11},"acceptedTwice":1,' +
        '"takeoverMs":187.3,"rejoinMs":1004,"overlapPackets":4}',
    );
  });

  test("for people names the failures, and what did not happen", () => {
    const text = summaryOf({ ...good, rejoinMs: null });
    expect(text).toContain("hits            30 (node 1: 20, node 2: 11)\n");
    expect(text).toContain("failed          3 (timeout 2, ECONNRESET 1)\n");
    expect(text).toMatch(/rejoin +did not happen$/);
  });

  test("says how much escaped the observer, if anything did", () => {
    expect(summaryOf(good)).not.toContain("not observed");
    const seen = { ...good.seen, untracked: 5 };
    expect(summaryOf({ ...good, seen })).toMatch(/not observed +5 frames$/);
  });

  const cases: [string, Partial<Outcome>, string[]][] = [
    ["kept", {}, []],
    ["no takeover", { takeoverMs: null }, ["nobody took the dead node's range over"]],
    ["no rejoin", { rejoinMs: null }, ["the node did not get its range back"]],
    ["a gap", { fault: "bucket 3 is not owned" }, ["at the end bucket 3 is not owned"]],
    ["no traffic", { client: { ...good.client, hits: 0 } }, ["no connection succeeded"]],
    [
      "an idle node",
      { seen: { ...good.seen, hitsByNode: { 1: 31, 2: 0 } } },
      ["node 2 forwarded nothing"],
    ],
  ];
  test.each(cases)("promise: %s", (_, change, broken) => {
    expect(brokenPromises({ ...good, ...change })).toEqual(broken);
  });
});
