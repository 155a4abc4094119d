/** What counts as a cluster at rest. */
import { describe, expect, test } from "vitest";
import type { Run, StatusReport } from "../../src/api/report.js";
import { rangeFault, unrest } from "../../src/demo/convergence.js";
import { STATUS } from "../api/example.js";

describe("ranges", () => {
  const cases: [string, Run[][], string | null][] = [
    ["one node owns all", [[[0, 255]]], null],
    ["three nodes, sizes within 1", [[[0, 84]], [[85, 169]], [[170, 255]]], null],
    ["a gap inside", [[[0, 100]], [[102, 255]]], "bucket 101 is not owned"],
    ["a gap at the end", [[[0, 127]], [[128, 254]]], "bucket 255 is not owned"],
    ["an overlap", [[[0, 128]], [[128, 255]]], "bucket 128 is owned twice"],
    ["not sorted by id", [[[128, 255]], [[0, 127]]], "bucket 0 is not owned"],
    ["unequal", [[[0, 128]], [[129, 255]]], "ranges are not equal"],
    ["a node owns nothing", [[[0, 255]], []], "a range is not one run"],
    [
      "a range in two pieces",
      [
        [
          [0, 1],
          [3, 127],
        ],
        [[128, 255]],
      ],
      "a range is not one run",
    ],
  ];
  test.each(cases)("%s", (_, ranges, fault) => {
    expect(rangeFault(ranges, 256)).toBe(fault);
  });
});

describe("a cluster", () => {
  const half = (node: number, range: Run): StatusReport => ({ ...STATUS, node, range: [range] });
  const [one, two] = [half(1, [0, 127]), half(2, [128, 255])];
  const judge = (...statuses: StatusReport[]) =>
    unrest(new Map(statuses.map((each) => [each.node, each])), [1, 2]);

  test("is at rest", () => expect(judge(one, two)).toBe(null));

  const cases: [string, StatusReport[], string][] = [
    ["a node is silent", [one], "node 2 does not answer"],
    ["a node is joining", [one, { ...two, state: "joining" }], "node 2 is joining"],
    ["a view is too small", [{ ...one, view: [1] }, two], "node 1 sees 1"],
    [
      "a lease is over",
      [one, { ...two, lease: { valid: false, msLeft: 0 } }],
      "node 2 has no lease",
    ],
    ["ranges overlap", [{ ...one, range: [[0, 130]] }, two], "bucket 128 is owned twice"],
  ];
  test.each(cases)("is not: %s", (_, statuses, fault) => {
    expect(judge(...statuses)).toBe(fault);
  });
});
