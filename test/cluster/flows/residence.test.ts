/** Which replicas are in the kernel where they come into it with their bucket. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Flow, Replicated } from "../../../src/cluster/flows/record.js";
import type { Residence } from "../../../src/cluster/flows/residence.js";
import { flowSettings } from "../../../src/cluster/flows/settings.js";
import { Shelf } from "../../../src/cluster/flows/shelf.js";
import { DELETES_PER_TURN, INSTALLS_PER_TURN, UNWANTED_MS } from "../../../src/cluster/limits.js";
import {
  type Bitmap,
  bitmapOf,
  bucketsOf,
  emptyBitmap,
} from "../../../src/cluster/ranges/bitmap.js";
import { flow } from "./flows.js";

const BUCKETS = 32;
const VERSION = { term: 1, writer: 2, sequence: 1 };
const NONE = emptyBitmap(BUCKETS);
const UDP = 17;

const set = (...buckets: number[]): Bitmap =>
  bitmapOf(
    buckets.map((bucket) => [bucket, bucket] as const),
    BUCKETS,
  );

describe("residence", () => {
  let shelf: Shelf;
  let residence: Residence;
  let kernel: Set<number>;
  let ops: string[];
  let ticket: number;

  beforeEach(() => {
    [kernel, ops, ticket] = [new Set(), [], 0];
    const mayBeOut = ({ protocol }: Replicated) => protocol !== UDP;
    const settings = flowSettings({ node: 1, buckets: BUCKETS, random32: () => 0, mayBeOut });
    shelf = new Shelf(
      settings,
      (output) => {
        if (output.kind !== "kernel") return;
        const number = (output.record as Flow).original.srcPort - 1024;
        ops.push(`${output.op} ${number}`);
        if (output.op === "delete") kernel.delete(number);
        else if (output.op === "create") kernel.add(number);
      },
      () => {},
    );
    residence = shelf.residence as Residence;
  });

  /** A peer tells of a flow. */
  function put(index: number, bucket: number, own: Partial<Flow> = {}): void {
    const record = flow(index, bucket, own);
    shelf.put(`${index}`, record, VERSION, 0);
    shelf.kernel("create", record);
  }
  const putMany = (first: number, count: number, bucket: number) => {
    for (let index = first; index < first + count; index++) put(index, bucket);
  };
  const want = (claimed: Bitmap, planned: Bitmap, now = 0) => {
    ticket += 1;
    residence.want(claimed, planned, ticket, now);
  };
  /** Buckets that are usable, once something changes. */
  const usable = () => {
    const change = residence.change();
    return change && [...bucketsOf(change.buckets)];
  };

  test("a replica stays out until its bucket is wanted, one that must not does not", () => {
    put(1, 4);
    put(2, 4, { protocol: UDP });
    put(3, 5);
    expect([...kernel]).toEqual([2]);
    want(NONE, set(4));
    residence.onTurn(0);
    expect([...kernel]).toEqual([2, 1]);
    put(4, 4);
    expect(kernel.has(4)).toBe(true);
    expect(usable()).toEqual([4]);
    expect(usable()).toBeNull();
  });

  test("claimed buckets come first, in bounded turns, each usable as soon as it is whole", () => {
    putMany(0, INSTALLS_PER_TURN, 1);
    putMany(10_000, INSTALLS_PER_TURN + 1, 9);
    want(set(9), set(1));
    residence.onTurn(0);
    expect(kernel.size).toBe(INSTALLS_PER_TURN);
    expect([...kernel].every((index) => index >= 10_000)).toBe(true);
    expect([usable(), residence.isInstalling]).toEqual([[], true]);
    residence.onTurn(0);
    expect([usable(), kernel.size]).toEqual([[9], 2 * INSTALLS_PER_TURN]);
    residence.onTurn(0);
    expect([usable(), residence.isInstalling]).toEqual([[1, 9], false]);
    expect(residence.counters.installed).toBe(2 * INSTALLS_PER_TURN + 1);
  });

  test("what is claimed meanwhile overtakes, and nothing is created twice", () => {
    putMany(0, 2 * INSTALLS_PER_TURN, 1);
    put(10_000, 9);
    want(NONE, set(1));
    residence.onTurn(0);
    want(set(9), set(1));
    residence.onTurn(0);
    expect(kernel.has(10_000)).toBe(true);
    residence.onTurn(0);
    expect(ops).toHaveLength(2 * INSTALLS_PER_TURN + 1);
  });

  test("what is not wanted lingers, then goes in bounded turns", () => {
    putMany(0, DELETES_PER_TURN + 1, 1);
    put(5000, 1, { protocol: UDP });
    want(set(1), NONE);
    residence.onTurn(0);
    const entry = shelf.table.get("3");
    Object.assign(entry as object, { isOver: true, lostMs: 5 });
    want(NONE, NONE, 100);
    residence.onTurn(100 + UNWANTED_MS - 1);
    expect(usable()).toEqual([1]);
    residence.onTurn(100 + UNWANTED_MS);
    expect([usable(), kernel.size]).toEqual([[], 2]);
    expect(entry).toMatchObject({ isOver: false, lostMs: Number.NaN });
    residence.onTurn(100 + UNWANTED_MS);
    expect([...kernel]).toEqual([5000]);
    expect(residence.report()).toEqual({ in: 0, coming: 0, going: 0 });
  });

  test("what is wanted again while it goes comes back whole", () => {
    putMany(0, DELETES_PER_TURN + 5, 1);
    want(set(1), NONE);
    residence.onTurn(0);
    want(NONE, NONE, 0);
    residence.onTurn(UNWANTED_MS);
    expect(kernel.size).toBe(5);
    want(set(1), NONE, UNWANTED_MS);
    expect(usable()).toEqual([]);
    residence.onTurn(UNWANTED_MS);
    expect(kernel.size).toBe(DELETES_PER_TURN + 5);
    expect(usable()).toEqual([1]);
  });

  test("an end costs the kernel nothing where it does not have the flow", () => {
    put(1, 4);
    shelf.kernel("delete", flow(1, 4));
    expect(ops).toEqual([]);
    residence.onFound(4); // the kernel has flows of this bucket from before
    shelf.kernel("delete", flow(1, 4));
    residence.onTurn(0);
    expect(ops).toEqual(["delete 1", "delete 1"]);
    expect(residence.report().going).toBe(0);
  });
});
