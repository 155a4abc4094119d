import { describe, expect, test } from "vitest";
import { nodesOf, rangesOf } from "../../src/api/report.js";
import { isDrained } from "../../src/cli/drain.js";
import { isJoined } from "../../src/cli/join.js";
import { nodesText } from "../../src/cli/nodes.js";
import { durationText, rangeText, shareText, table } from "../../src/cli/output.js";
import { rangesText } from "../../src/cli/ranges.js";
import { statusText } from "../../src/cli/status.js";
import { STATUS, SYNC_REPORT } from "../api/example.js";

test("a table is as wide as its cells, with numbers on the right", () => {
  const rows = [
    ["own-new", 5],
    ["no", 12345],
  ];
  expect(table(["REASON", "PACKETS"], rows)).toBe(
    ["REASON   PACKETS", "own-new        5", "no         12345"].join("\n"),
  );
});

test.each([
  [0, "0ms"],
  [999, "999ms"],
  [4200, "4.2s"],
  [59_999, "60.0s"],
  [65_000, "1m5s"],
  [12_000_000, "3h20m"],
  [446_400_000, "5d4h"],
])("%i ms is %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

describe("replication", () => {
  const sync = { ...SYNC_REPORT, degraded: { why: "kernel events lost", forMs: 300 } };
  const lines = statusText({ ...STATUS, sync }).split("\n");
  const row = (node: number) =>
    lines.findLast((line) => new RegExp(`^ +${node} +complete`).test(line))?.split(/ {2,}/);

  test("the node's own condition", () => {
    expect(lines).toContain("flows  1234 of 262144, kernel events lost, 300ms, 12 to tell");
  });

  test("a peer that is behind us", () => {
    const here = ["complete", "5000", "0", "400ms", "3", "4", "1", "2", "6"];
    expect(row(1)).toEqual(["", "1", ...here, "complete", "7", "30ms", "11", "ok"]);
  });

  test("a peer that does not hear us, and is degraded", () => {
    expect(row(3)?.slice(-5)).toEqual(["unheard", "-", "never", "11", "kernel events lost, 1.2s"]);
  });

  test("in a word for each node", () => {
    const flows = nodesOf({ ...STATUS, sync: SYNC_REPORT }).map((node) => node.flows);
    const degraded = "degraded: kernel events lost, 1200 ms";
    expect(flows).toEqual(["it is 7 frames behind", "ok", degraded]);
  });
});

test("ranges and shares", () => {
  const runs = [
    [0, 84],
    [170, 170],
  ] as const;
  expect(rangeText(runs)).toBe("0-84,170");
  expect(rangeText([])).toBe("none");
  expect(shareText(401, 1000)).toBe("401 (40.1%)");
  expect(shareText(0, 0)).toBe("0");
});

describe("status", () => {
  const text = statusText(STATUS);

  test.each([
    /^node +2 of cluster edge, shardwall 0\.1\.0$/m,
    /^state +active, up 1m5s$/m,
    /^range +85-170 \(86 of 256 buckets\)$/m,
    /^lease +valid, 125 ms left$/m,
    /^packets +1000 seen, 123\.5\/s$/m,
    /^accepted +400 \(40\.0%\)$/m,
    /^own-new +400$/m,
    /^queue full +1$/m,
    /^not in the leased range +4$/m,
    /^ +1 {2}active {2}0-84 +eth3:12ms eth4:never,unheard {2}10\.9\.0\.1:3780$/m,
    /^badAuth +2$/m,
  ])("shows %s", (line) => {
    expect(text).toMatch(line);
  });

  test("shows only reasons that happened", () => {
    expect(text).not.toContain("malformed");
  });

  test("says what an expired lease means, and why a node is unfit", () => {
    const lapsed = { ...STATUS, lease: { valid: false, msLeft: 0 }, fit: ["eth1: no carrier"] };
    expect(statusText(lapsed)).toMatch(/^lease +not valid: nothing is accepted$/m);
    const broken = { ...STATUS, invariants: { lateRenewal: 2, epochWentBack: 0 } };
    expect(statusText(broken)).toContain("lateRenewal 2: a bug");
    expect(statusText({ ...STATUS, invariants: { lateRenewal: 0 } })).not.toContain("BROKEN");
    expect(statusText(lapsed)).toContain("active (unfit: eth1: no carrier)");
  });

  test("of a node that is alone and new is a whole page", () => {
    const packets = { ...STATUS.packets, seen: 0, accepted: 0, dropped: 0, byReason: {} };
    const empty = statusText({ ...STATUS, packets, peers: [], workers: [], view: [] });
    expect(empty).toContain("no verdicts yet");
    expect(empty).toContain("no peers heard");
  });
});

test("nodes marks the one that answers", () => {
  const lines = nodesText(nodesOf(STATUS)).split("\n");
  expect(lines).toHaveLength(4);
  expect(lines[2]).toMatch(/^ +2 {2}\* +active +yes +86 /);
  expect(lines[3]).toMatch(/^ +3 +dead +no /);
});

test("ranges tells what nobody owns and what two own", () => {
  expect(rangesText(rangesOf(STATUS))).toContain("85 buckets are owned by nobody");
  const [first, ...rest] = STATUS.peers;
  const overlap = { ...STATUS, peers: [{ ...first!, range: [[0, 89]] as const }, ...rest] };
  expect(rangesText(rangesOf(overlap))).toContain("5 buckets are owned more than once");
});

describe("a planned change is done", () => {
  test.each([
    ["active", 0, false],
    ["draining", 1, false],
    ["draining", 0, true],
  ] as const)("drain: %s with %i buckets: %s", (state, ownedBuckets, done) => {
    expect(isDrained({ ...STATUS, state, ownedBuckets })).toBe(done);
  });

  test.each([
    ["joining", 0, 256, false],
    ["active", 127, 256, false],
    ["active", 128, 256, true],
    ["active", 0, 1, true],
  ] as const)("join: %s with %i of %i buckets and two nodes: %s", (state, owned, buckets, done) => {
    expect(isJoined({ ...STATUS, state, ownedBuckets: owned, buckets })).toBe(done);
  });
});
