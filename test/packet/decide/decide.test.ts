/** The decision as a table: every row of the order in decide.ts, and what goes before what. */
import { describe, expect, test } from "vitest";
import {
  DecideOption,
  decide,
  Flow,
  flowOf,
  NO_BUCKET,
} from "../../../src/packet/decide/decide.js";
import { Kind } from "../../../src/packet/dissect/packet.js";
import { accepts, REASONS, Reason } from "../../../src/state/reason.js";

const [OPENS, FOLLOWS, QUOTES] = [Kind.OPENS, Kind.FOLLOWS, Kind.QUOTES];
const [NONE, OWN, FOREIGN, OUTSIDE] = [Flow.NONE, Flow.OWN, Flow.FOREIGN, Flow.OUTSIDE];
const [PICKUP, OPENER] = [DecideOption.PICKUP, DecideOption.OPENER];
const OK = 0;

/** Buckets 0-255 of which this node has leased 3, 31, 32 and 255. */
const RANGES = Int32Array.of((1 << 3) | (1 << 31), 1, 0, 0, 0, 0, 0, 1 << 31);
const OURS = 32;
const THEIRS = 33;

const LEASED = true;
const EXPIRED = false;

describe("decide", () => {
  test.each([
    // lease, status, class, flow, bucket, options, reason
    [EXPIRED, OK, OPENS, NONE, OURS, 0, "lease-expired"],
    [EXPIRED, OK, FOLLOWS, OWN, OURS, 0, "lease-expired"],
    [EXPIRED, OK, FOLLOWS, FOREIGN, THEIRS, 0, "lease-expired"],
    [EXPIRED, Reason.MALFORMED, 0, NONE, OURS, 0, "lease-expired"],
    [EXPIRED, OK, OPENS, OUTSIDE, OURS, 0, "lease-expired"],

    [LEASED, OK, OPENS, OUTSIDE, OURS, 0, "not-cluster"],
    [LEASED, Reason.MALFORMED, 0, OUTSIDE, OURS, PICKUP, "not-cluster"],

    [LEASED, Reason.MALFORMED, OPENS, NONE, OURS, PICKUP, "malformed"],
    [LEASED, Reason.MALFORMED, OPENS, OWN, OURS, PICKUP, "malformed"],
    [LEASED, Reason.TRUNCATED, OPENS, OWN, OURS, PICKUP, "truncated"],
    [LEASED, Reason.FRAGMENT, OPENS, FOREIGN, OURS, PICKUP, "fragment"],
    [LEASED, Reason.UNSUPPORTED, OPENS, NONE, OURS, PICKUP, "unsupported"],

    [LEASED, OK, OPENS, OWN, THEIRS, 0, "own-flow"],
    [LEASED, OK, FOLLOWS, OWN, THEIRS, 0, "own-flow"],
    [LEASED, OK, QUOTES, OWN, THEIRS, OPENER, "own-flow"],
    [LEASED, OK, OPENS, FOREIGN, OURS, PICKUP, "foreign-flow"],
    [LEASED, OK, FOLLOWS, FOREIGN, OURS, PICKUP, "foreign-flow"],
    [LEASED, OK, QUOTES, FOREIGN, OURS, PICKUP, "foreign-flow"],

    [LEASED, OK, OPENS, NONE, OURS, 0, "own-new"],
    [LEASED, OK, OPENS, NONE, OURS, OPENER, "own-new"],
    [LEASED, OK, OPENS, NONE, THEIRS, 0, "foreign-new"],
    [LEASED, OK, OPENS, NONE, THEIRS, PICKUP, "foreign-new"],

    [LEASED, OK, FOLLOWS, NONE, OURS, 0, "no-state"],
    [LEASED, OK, FOLLOWS, NONE, OURS, PICKUP, "own-pickup"],
    [LEASED, OK, FOLLOWS, NONE, OURS, PICKUP | OPENER, "own-pickup"],
    [LEASED, OK, FOLLOWS, NONE, THEIRS, PICKUP, "foreign-new"],
    [LEASED, OK, FOLLOWS, NONE, THEIRS, 0, "foreign-new"],

    [LEASED, OK, QUOTES, NONE, OURS, 0, "no-state"],
    [LEASED, OK, QUOTES, NONE, OURS, PICKUP, "own-pickup"],
    [LEASED, OK, QUOTES, NONE, THEIRS, PICKUP, "foreign-new"],
    [LEASED, OK, QUOTES, NONE, OURS, PICKUP | OPENER, "no-state"],
    [LEASED, OK, QUOTES, NONE, THEIRS, OPENER, "no-state"],
  ])("%s %i %i %i %i %i: %s", (lease, status, kind, flow, bucket, options, name) => {
    const reason = decide(lease, status, kind, flow, bucket, RANGES, options);
    expect(REASONS[reason]!.name).toBe(name);
  });

  test("the bucket is looked up bit by bit, and beyond the end it is not ours", () => {
    const owned = (bucket: number) =>
      decide(LEASED, OK, OPENS, NONE, bucket, RANGES, 0) === Reason.OWN_NEW;
    const all = Array.from({ length: 300 }, (_, bucket) => bucket);
    expect(all.filter(owned)).toEqual([3, 31, 32, 255]);
    expect(owned(NO_BUCKET)).toBe(false);
  });

  test("without a lease nothing is accepted, whatever the rest", () => {
    for (const kind of [OPENS, FOLLOWS, QUOTES]) {
      for (const flow of [NONE, OWN, FOREIGN, OUTSIDE]) {
        for (const options of [0, PICKUP, OPENER, PICKUP | OPENER]) {
          expect(accepts(decide(EXPIRED, OK, kind, flow, OURS, RANGES, options))).toBe(false);
        }
      }
    }
  });
});

describe("flowOf", () => {
  test.each([
    [NO_BUCKET, NONE],
    [3, OWN],
    [255, OWN],
    [4, FOREIGN],
    [256, FOREIGN],
  ])("a flow in bucket %i", (bucket, flow) => expect(flowOf(bucket, RANGES)).toBe(flow));
});
