/** Replicas whose packets this node's kernel does not see. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Ledger } from "../../../src/cluster/flows/ledger.js";
import { type Flow, timeoutClass } from "../../../src/cluster/flows/record.js";
import { flowSettings } from "../../../src/cluster/flows/settings.js";
import { Shelf } from "../../../src/cluster/flows/shelf.js";
import { Upkeep } from "../../../src/cluster/flows/upkeep.js";
import { LINGER_MS, UPKEEP_PER_TICK } from "../../../src/cluster/limits.js";
import { flow } from "./flows.js";

const MINE = 1;
const THEIRS = 2;
const VERSION = { term: 1, writer: 2, sequence: 1 };

describe("upkeep", () => {
  let shelf: Shelf;
  let upkeep: Upkeep;
  let owned: Set<number>;
  let updated: number[];

  beforeEach(() => {
    owned = new Set([MINE]);
    updated = [];
    const settings = flowSettings({ node: 1, random32: () => 0, isBlind: true });
    shelf = new Shelf(
      settings,
      (output) => {
        if (output.kind !== "kernel") return;
        expect(output.op).toBe("update");
        updated.push((output.record as Flow).original.srcPort - 1024);
      },
      () => {},
    );
    const ledger = { owns: (bucket: number) => owned.has(bucket) };
    upkeep = new Upkeep(shelf, ledger as unknown as Ledger);
  });

  const put = (port: number, bucket: number, seconds: number) =>
    shelf.put(
      String(port),
      { ...flow(port, bucket), timeoutClass: timeoutClass(seconds) },
      VERSION,
      0,
    );
  /** Ticks until `now`; ports of the flows that were refreshed. */
  const until = (from: number, to: number) => {
    updated = [];
    for (let now = from; now < to; now += 10) upkeep.onTick(now);
    return updated;
  };

  test("refreshes a replica before its time-out, again and again, and no other flow", () => {
    put(1, THEIRS, 30);
    put(2, MINE, 30);
    put(3, THEIRS, 432_000);
    expect(until(0, 9_000)).toEqual([]);
    expect(until(9_000, 12_000)).toEqual([1]);
    expect(until(12_000, 300_000).length).toBeGreaterThan(20);
    expect(new Set(updated)).toEqual(new Set([1]));
  });

  test("leaves alone what is over here or gone from the kernel", () => {
    Object.assign(put(1, THEIRS, 30) as object, { isOver: true });
    Object.assign(put(2, THEIRS, 30) as object, { lostMs: 5 });
    expect(until(0, 60_000)).toEqual([]);
  });

  test("writes the flows of a bucket that goes at once, and those told late a little later", () => {
    put(1, MINE, 432_000);
    owned.clear();
    upkeep.onWent([MINE], 1000);
    expect(until(1000, 1010)).toEqual([1]);
    put(2, MINE, 432_000);
    expect(until(1010, 1000 + 2 * LINGER_MS)).toEqual([]);
    expect(until(1000 + 2 * LINGER_MS, 10_000)).toEqual([1, 2]);
  });

  test("a bucket that has come back by then is this node's own again", () => {
    put(1, MINE, 432_000);
    upkeep.onWent([MINE], 0);
    expect(until(0, 10_000)).toEqual([]);
  });

  test("at a bounded rate", () => {
    for (let port = 1; port <= 3 * UPKEEP_PER_TICK; port++) put(port, THEIRS, 30);
    const each = [0, 1, 2, 3].map((tick) => upkeep.onTick(20_000 + tick));
    expect(each).toEqual([UPKEEP_PER_TICK, UPKEEP_PER_TICK, UPKEEP_PER_TICK, 0]);
    expect(new Set(updated).size).toBe(3 * UPKEEP_PER_TICK);
  });
});
