/** Flows found in the kernel at a start, before anybody is known to own them. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Author } from "../../../src/cluster/flows/author.js";
import type { Ledger } from "../../../src/cluster/flows/ledger.js";
import type { KernelEvent } from "../../../src/cluster/flows/output.js";
import { pack } from "../../../src/cluster/flows/packed.js";
import type { Replicated } from "../../../src/cluster/flows/record.js";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { flowSettings } from "../../../src/cluster/flows/settings.js";
import type { Shelf } from "../../../src/cluster/flows/shelf.js";
import { FlowSync } from "../../../src/cluster/flows/sync.js";
import type { Entry } from "../../../src/cluster/flows/table.js";
import { Unsure } from "../../../src/cluster/flows/unsure.js";
import { emptyBitmap } from "../../../src/cluster/ranges/bitmap.js";
import { flow as numbered } from "./flows.js";

const entryOf = (record: Replicated | undefined) => record && { record, packed: pack(record) };
const flow = (bucket: number) => numbered(1, bucket);

describe("an unsure flow", () => {
  let told: Replicated[];
  let deleted: Replicated[];
  let owned: Set<number>;
  let good: Set<number>;
  let matched: [Replicated, Replicated][];
  let table: Map<string, Replicated>;
  let unsure: Unsure;

  beforeEach(() => {
    [told, deleted] = [[], []];
    [owned, good, table, matched] = [new Set(), new Set(), new Map(), []];
    const get = (key: string) => entryOf(table.get(key));
    const shelf = {
      table: { max: 3, get },
      match: (own: Replicated, { record }: Entry) => matched.push([own, record]),
      change: (_: string, record: Replicated) => deleted.push(record),
      isOut: () => false,
    };
    const ledger = {
      owns: (bucket: number) => owned.has(bucket),
      isGood: (bucket: number) => good.has(bucket),
    };
    const author = { onAlive: (record: Replicated) => told.push(record) };
    unsure = new Unsure(
      shelf as unknown as Shelf,
      ledger as unknown as Ledger,
      author as unknown as Author,
    );
    unsure.keep("a", flow(1));
    unsure.keep("b", flow(1));
    unsure.keep("c", flow(2));
  });

  test("waits while nobody is known to own its bucket", () => {
    expect(unsure.settle(0)).toBe(0);
    expect([told, deleted]).toEqual([[], []]);
  });

  test("goes from the kernel when the owner's table is here and does not have it", () => {
    good.add(1);
    table.set("b", flow(1));
    expect(unsure.settle(0)).toBe(1);
    expect(deleted).toEqual([flow(1)]);
    expect(unsure.settle(0)).toBe(0);
  });

  test("gets the translation that the owner gave it", () => {
    const { reply } = flow(1);
    const translated = { ...flow(1), reply: { ...reply, dstPort: 9 } };
    good.add(1);
    table.set("a", flow(1)).set("b", translated);
    expect(unsure.settle(0)).toBe(0);
    expect(deleted).toEqual([]);
    expect(matched).toEqual([
      [flow(1), flow(1)],
      [flow(1), translated],
    ]);
  });

  test("is told of when its bucket becomes ours", () => {
    owned.add(1);
    good.add(1);
    expect(unsure.settle(0)).toBe(0);
    expect(told).toEqual([flow(1), flow(1)]);
    expect(deleted).toEqual([]);
  });

  test("that ends meanwhile is neither told of nor deleted", () => {
    unsure.forget("c", 2);
    owned.add(2);
    expect(unsure.settle(0)).toBe(0);
    expect(told).toEqual([]);
  });

  test("is forgotten when the table is read again", () => {
    unsure.clear();
    owned.add(1).add(2);
    expect(unsure.settle(0)).toBe(0);
    expect(told).toEqual([]);
    for (const key of ["a", "b", "c"]) unsure.keep(key, flow(3));
    expect(unsure.dropped).toBe(0);
  });

  test("finds no room beyond the table's bound, which is counted", () => {
    unsure.keep("a", flow(1));
    expect(unsure.dropped).toBe(1);
    unsure.forget("a", 1);
    unsure.keep("d", flow(3));
    expect(unsure.dropped).toBe(1);
  });
});

describe("C3: a flow that has ended is not told because it was read before", () => {
  const [ended, alive] = [numbered(1, 1), numbered(2, 2)];
  const all = emptyBitmap(16).fill(0xffff);
  let sync: FlowSync;

  beforeEach(() => {
    sync = new FlowSync(flowSettings({ node: 1, buckets: 16, random32: () => 1 }), 0);
    sync.onDump([ended, alive], 10);
  });

  const told = () => {
    for (let now = 40; now < 1000; now += 10) sync.onTick(now);
    return [...sync.shelf.table.all()].map(({ key }) => key);
  };

  test("where its end was lost, and its bucket comes after the table was read again", () => {
    sync.onUnheard(true, 20);
    sync.onDump([alive], 30);
    sync.onRange(all, 1, 30);
    expect(told()).toEqual([keyOf(alive)]);
  });

  test("nor where it comes before", () => {
    sync.onUnheard(true, 20);
    sync.onRange(all, 1, 25);
    sync.onTick(25);
    sync.onDump([alive], 30);
    expect(told()).toEqual([keyOf(alive)]);
  });

  const over: KernelEvent = { kind: "alive", record: { ...ended, state: "over" } };

  test("nor where the kernel still remembers it as over", () => {
    sync.onEvents([over], 20);
    sync.onRange(all, 1, 30);
    expect(told()).toEqual([keyOf(alive)]);
  });

  test("nor where that is heard while the table is being read", () => {
    sync.onRange(all, 1, 20);
    sync.onUnheard(true, 20);
    sync.onEvents([over], 25);
    sync.onDump([ended, alive], 30);
    expect(told()).toEqual([keyOf(alive)]);
  });
});
