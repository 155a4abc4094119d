/** What wins when statements of several writers meet: C2, C3 and C5, one op at a time. */
import { describe, expect, test } from "vitest";
import type { Follower } from "../../../src/cluster/broadcast/broadcast.js";
import { Author } from "../../../src/cluster/flows/author.js";
import { Ledger } from "../../../src/cluster/flows/ledger.js";
import type { Op } from "../../../src/cluster/flows/ops.js";
import type { FlowOutput } from "../../../src/cluster/flows/output.js";
import { Packer } from "../../../src/cluster/flows/packer.js";
import { PeerFlows } from "../../../src/cluster/flows/peer.js";
import type { Replicated } from "../../../src/cluster/flows/record.js";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { Replica } from "../../../src/cluster/flows/replica.js";
import { flowSettings } from "../../../src/cluster/flows/settings.js";
import { Shelf } from "../../../src/cluster/flows/shelf.js";
import { SETTLE_MS } from "../../../src/cluster/limits.js";
import { bitmapOf } from "../../../src/cluster/ranges/bitmap.js";
import { ASSURED, flow, REPLIED } from "./flows.js";

const ME = 3;
const BUCKET = 4;
const BUCKETS = 16;

/** A node 3 that is told ops by nodes 1 and 2. */
function listener(flowsMax = 1000) {
  const settings = flowSettings({ node: ME, buckets: BUCKETS, flowsMax, random32: () => 1 });
  const outputs: FlowOutput[] = [];
  const shelf = new Shelf(
    settings,
    (output) => outputs.push(output),
    () => {},
  );
  const ledger = new Ledger(ME, BUCKETS);
  const packer = new Packer(settings.bodyBytesMax, () => {});
  const author = new Author(settings, shelf, ledger, packer);
  const replica = new Replica(shelf, ledger, author);
  const peers = new Map([1, 2].map((node) => [node, new PeerFlows(0)]));
  for (const flows of peers.values()) flows.isComplete = true;
  const hear = (node: number, op: Op, now = 10_000) =>
    replica.onOp({ node } as Follower, peers.get(node) as PeerFlows, op, now);
  return { shelf, ledger, replica, outputs, hear };
}

const put = (record: Replicated, term: number, writer: number, sequence: number): Op => ({
  op: "put",
  version: { term, writer, sequence },
  record,
});
const remove = (record: Replicated, term: number, writer: number, sequence: number): Op => ({
  op: "remove",
  version: { term, writer, sequence },
  identity: record as never,
});
const digestOf = (term: number, flows = 0): Op => ({
  op: "digest",
  bucket: BUCKET,
  term,
  digest: { flows, sums: [0, 0] },
});

const RECORD = flow(1, BUCKET);
const KEY = keyOf(RECORD);

/** All orders of two rows that keep the order within each row. */
function interleavings<T>(a: readonly T[], b: readonly T[]): T[][] {
  if (a.length === 0 || b.length === 0) return [[...a, ...b]];
  const first = interleavings(a.slice(1), b).map((rest) => [a[0], ...rest]);
  return [...first, ...interleavings(a, b.slice(1)).map((rest) => [b[0], ...rest])];
}

describe("C2: the former owner never beats the new one", () => {
  const former: [number, Op][] = [
    [1, digestOf(4)],
    [1, put(RECORD, 4, 1, 100)],
    [1, put({ ...RECORD, mark: 1 }, 4, 1, 101)],
    [1, remove(RECORD, 4, 1, 102)],
  ];
  const heir: [number, Op][] = [
    [2, digestOf(5)],
    [2, put({ ...RECORD, mark: 2 }, 5, 2, 7)],
  ];

  test("in whatever order they arrive, with duplicates, the new owner's word stands", () => {
    const orders = interleavings(former, heir);
    expect(orders).toHaveLength(15);
    for (const order of orders) {
      const { shelf, hear } = listener();
      for (const [node, op] of order) hear(node, op);
      for (const [node, op] of order) hear(node, op);
      expect(shelf.table.get(KEY)?.record).toEqual({ ...RECORD, mark: 2 });
      expect(shelf.table.get(KEY)?.version).toEqual({ term: 5, writer: 2, sequence: 7 });
    }
  });

  test("a removal by the new owner stands too", () => {
    for (const order of interleavings(former.slice(0, 3), [
      heir[0],
      [2, remove(RECORD, 5, 2, 8)],
    ])) {
      const { shelf, hear } = listener();
      for (const [node, op] of order as [number, Op][]) hear(node, op);
      expect(shelf.table.get(KEY)).toBeUndefined();
    }
  });

  test("a former owner can add a flow, but not change one that is known", () => {
    const { shelf, hear, replica } = listener();
    hear(2, digestOf(5));
    hear(1, put(RECORD, 4, 1, 100));
    expect(shelf.table.get(KEY)?.record).toEqual(RECORD);
    hear(1, put({ ...RECORD, mark: 1 }, 4, 1, 101));
    hear(1, remove(RECORD, 4, 1, 102));
    expect(shelf.table.get(KEY)?.record).toEqual(RECORD);
    expect(replica.counters.late).toBe(2);
  });

  test("a higher claim on a bucket of mine is heard, my term is kept for a while", () => {
    const { ledger, hear } = listener();
    ledger.change(bitmapOf([[BUCKET, BUCKET]], BUCKETS), 9, 0);
    expect([ledger.term(BUCKET), ledger.holder(BUCKET)]).toEqual([9, ME]);
    hear(2, digestOf(12), 100);
    expect([ledger.ownTerm(BUCKET), ledger.holder(BUCKET)]).toEqual([9, 2]);
    expect(ledger.insist(1099)).toEqual([]);
    expect(ledger.insist(1100)).toEqual([BUCKET]);
    expect([ledger.ownTerm(BUCKET), ledger.holder(BUCKET)]).toEqual([13, ME]);
  });
});

describe("C3: what has ended stays so", () => {
  test("an older statement, told by whomever, does not bring it back", () => {
    const { shelf, hear, outputs } = listener();
    hear(1, put(RECORD, 4, 1, 100));
    hear(1, remove(RECORD, 4, 1, 101));
    hear(2, put(RECORD, 4, 1, 100)); // the last words of a dead node, repeated
    expect(shelf.table.size).toBe(0);
    expect(outputs.map((output) => output.kind === "kernel" && output.op)).toEqual([
      ...["create", "delete"],
    ]);
  });

  test("a removal that overtakes its flow is remembered", () => {
    const { shelf, hear } = listener();
    hear(2, remove(RECORD, 4, 1, 101));
    hear(1, put(RECORD, 4, 1, 100));
    expect(shelf.table.size).toBe(0);
    hear(1, put(RECORD, 4, 1, 102)); // the same tuple again, as another flow
    expect(shelf.table.size).toBe(1);
  });
});

describe("sections", () => {
  const other = flow(2, BUCKET);
  const section: Op = { op: "section", bucket: BUCKET, term: 5 };
  const end: Op = { op: "end", bucket: BUCKET, isWhole: true };

  test("what the owner does not name is gone, but for what is younger than messages take", () => {
    const { shelf, hear } = listener();
    const now = 10_000;
    hear(1, put(RECORD, 4, 1, 1), now - SETTLE_MS);
    hear(1, put(other, 4, 1, 2), now);
    hear(2, section, now);
    hear(2, end, now);
    expect(shelf.table.get(KEY)).toBeUndefined();
    expect(shelf.table.get(keyOf(other))).toBeDefined();
  });

  test("a section that is broken off, or of a node that is not the owner, removes nothing", () => {
    const { shelf, hear } = listener();
    hear(1, put(RECORD, 4, 1, 1), 0);
    hear(2, section);
    hear(2, { ...end, isWhole: false } as Op);
    expect(shelf.table.size).toBe(1);
    hear(1, { op: "section", bucket: BUCKET, term: 4 });
    hear(1, end);
    expect(shelf.table.size).toBe(1);
  });

  test("what an outdated section has ended is taken back under its own version, later", () => {
    const { shelf, hear } = listener();
    hear(1, put(RECORD, 4, 1, 1), 0);
    hear(2, section, 10_000);
    hear(2, end, 10_000);
    const again: [number, Op][] = [
      [1, { op: "section", bucket: BUCKET, term: 6 }],
      [1, put(RECORD, 4, 1, 1)],
      [1, end],
    ];
    for (const [node, op] of again) hear(node, op, 10_000 + SETTLE_MS - 1);
    expect(shelf.table.get(KEY)).toBeUndefined();
    for (const [node, op] of again) hear(node, op, 10_000 + SETTLE_MS);
    expect(shelf.table.get(KEY)?.record).toEqual(RECORD);
  });

  test("the owner's word replaces even a newer version, if that is not young", () => {
    const { shelf, hear } = listener();
    hear(1, put({ ...RECORD, mark: 9 }, 4, 1, 50), 0);
    hear(2, section);
    hear(2, put(RECORD, 4, 1, 49));
    hear(2, end);
    expect(shelf.table.get(KEY)?.record).toEqual(RECORD);
  });
});

describe("C5: the table is bounded", () => {
  const bucketed = (index: number, status: number) => flow(index, BUCKET, { status });

  test("unreplied flows make room first, then unassured ones; an assured one never does", () => {
    const { shelf, hear } = listener(3);
    let sequence = 0;
    const tell = (record: Replicated) => hear(1, put(record, 4, 1, ++sequence));
    const has = (index: number) => shelf.table.get(keyOf(flow(index, BUCKET))) !== undefined;
    tell(bucketed(1, ASSURED));
    tell(bucketed(2, REPLIED));
    tell(bucketed(3, 0));
    tell(bucketed(4, ASSURED));
    expect([1, 2, 3, 4].map(has)).toEqual([true, true, false, true]);
    tell(bucketed(5, ASSURED));
    expect([1, 2, 4, 5].map(has)).toEqual([true, false, true, true]);
    tell(bucketed(6, ASSURED));
    expect([1, 4, 5, 6].map(has)).toEqual([true, true, true, false]);
    expect(shelf.table.counters).toEqual({ evicted: 2, refused: 1 });
  });

  test("while it is full, no difference is called drift: it could not be repaired", () => {
    const { hear, replica } = listener(1);
    hear(1, put(RECORD, 4, 1, 1), 0);
    expect(hear(1, digestOf(4, 2), 50_000)).toBe(false);
    expect(replica.drifted.size).toBe(0);
  });
});

test("a newer statement about a replica does not hide that the kernel has lost it", () => {
  const { shelf, hear } = listener();
  hear(1, put(RECORD, 4, 1, 1));
  Object.assign(shelf.table.get(KEY) ?? {}, { lostMs: 123, isOver: true });
  hear(1, put(RECORD, 4, 1, 2));
  expect(shelf.table.get(KEY)).toMatchObject({ lostMs: 123, isOver: true });
});

test("an owner that does not know of a higher claim is noticed, so that it can be told", () => {
  const { hear, replica } = listener();
  hear(1, digestOf(7));
  hear(2, digestOf(6));
  expect([...replica.outdated]).toEqual([BUCKET]);
});
