/** Newcomers, lost threads, partitions, drift, lost kernel events, floods: what repairs itself. */
import { describe, expect, test } from "vitest";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { flowSettings } from "../../../src/cluster/flows/settings.js";
import { FlowSync } from "../../../src/cluster/flows/sync.js";
import { TABLE_FRAMES_PER_TICK, UNREPLIED_WINDOWS } from "../../../src/cluster/limits.js";
import { flow } from "./flows.js";
import type { Box } from "./net.js";
import { counters, has, open, settled, TOLD_MS, WINDOW_MS } from "./settled.js";

describe("newcomers and lost threads", () => {
  test("B7: a newcomer is in sync within a bound at 30 % loss, at a bounded rate", () => {
    const world = settled(12, 2);
    const [a, b] = world.boxes;
    const flows = 10_000;
    for (let index = 0; index < flows; index++) open(world, index % 2 ? a : b, index);
    world.run(2000);
    world.faults.loss = 0.3;
    const c = world.add(3);
    const before = [a.bodies, b.bodies];
    let progress = 0;
    const ms = world.runUntil(10_000, () => {
      const peers = c.sync?.health(world.now).peers ?? [];
      const now = Math.min(1, ...peers.map((peer) => peer.progress));
      expect(now).toBeGreaterThanOrEqual(peers.length < 2 ? 0 : progress);
      progress = peers.length < 2 ? 0 : now;
      return progress === 1 && c.isSynced;
    });
    expect(ms).not.toBeNull();
    const ticks = (ms ?? 0) / 10 + 1;
    for (const [index, box] of [a, b].entries()) {
      const bodies = box.bodies - before[index];
      expect(bodies / ticks).toBeLessThan(TABLE_FRAMES_PER_TICK * 2);
    }
    expect(world.tableKeys(c)).toEqual(world.union());
  });

  test("one sick peer does not keep a newcomer out for ever", () => {
    const world = settled(13, 2);
    const [a] = world.boxes;
    world.passes = (from, to) => !(from === a && to.id === 3);
    const c = world.add(3);
    world.run(5000);
    expect(c.isSynced).toBe(false);
    world.run(6000);
    expect([c.isSynced, c.told.includes("tableStalled")]).toEqual([true, true]);
    world.passes = () => true;
    world.run(1000);
    expect(c.sync?.health(world.now).peers.map((peer) => peer.isComplete)).toEqual([true, true]);
  });

  test("B3: a gap within the buffer is repaired, a longer one costs one table", () => {
    const world = settled(14, 3, { frames: 64 });
    const [a, b, c] = world.boxes;
    const told = (box: Box) => box.told.filter((name) => name === "following").length;
    const before = [told(b), told(c)];
    world.part(a, c);
    for (let index = 0; index < 500; index++) open(world, a, index);
    world.run(1000);
    world.join(a, c);
    world.run(1000);
    expect([told(b), told(c)]).toEqual(before);
    expect(world.differences()).toEqual([]);
    world.part(a, c);
    for (let index = 500; index < 4000; index++) {
      open(world, a, index);
      if (index % 50 === 0) world.run(10); // more at once than the buffer holds would be lost on b
    }
    world.run(1000);
    world.join(a, c);
    world.run(2000);
    expect([told(b), told(c)]).toEqual([before[0], before[1] + 1]);
    expect(c.told.filter((name) => name === "outOfSync")).toHaveLength(1);
    expect(world.differences()).toEqual([]);
  });

  test("two halves that each owned all agree again, and keep the flows of both", () => {
    const world = settled(15, 2);
    const [a, b] = world.boxes;
    const halves = [[...a.owned], [...b.owned]];
    const all = Array.from({ length: 16 }, (_, bucket) => bucket);
    world.part(a, b);
    world.own(a, all);
    world.own(b, all);
    for (let index = 0; index < 100; index++) {
      world.alive(index % 2 ? a : b, flow(index, index % 16));
    }
    world.run(2000);
    world.join(a, b);
    world.run(300);
    world.own(a, halves[0]);
    world.own(b, halves[1]);
    world.run(15_000);
    expect(world.differences()).toEqual([]);
    expect(world.union()).toHaveLength(100);
  });
});

describe("drift and lost events", () => {
  test("only the bucket that differs is sent again", () => {
    const world = settled(16, 2);
    const [a, b] = world.boxes;
    for (let index = 0; index < 200; index++) {
      world.alive(a, flow(index, [...a.owned][index % a.owned.size]));
    }
    world.run(2000);
    const table = b.sync?.shelf.table;
    const victim = [...(table?.all() ?? [])][0];
    table?.remove(victim);
    b.kernel.delete(victim.key);
    const sections = counters(world, a).sections;
    world.run(12_000);
    expect(world.differences()).toEqual([]);
    expect(counters(world, b).drift).toBe(1);
    expect(counters(world, a).sections).toBe(sections + 1);
  });

  test("C4: after lost events the kernel's table is read again: births and ends are found", () => {
    const world = settled(17, 2);
    const [a, b] = world.boxes;
    const ends = open(world, a, 1);
    world.run(TOLD_MS);
    a.isDeaf = true;
    const born = open(world, a, 2);
    world.gone(a, ends);
    world.run(100);
    a.isDeaf = false;
    world.run(6);
    expect(a.sync?.health(world.now).degraded).not.toBeNull();
    world.run(80 + TOLD_MS);
    expect(a.sync?.health(world.now).degraded).toBeNull();
    expect([has(b, ends), has(b, born)]).toEqual([false, true]);
    expect(world.differences()).toEqual([]);
  });

  test.each([
    ["while it waited for its window", 10],
    ["behind its birth, which is read with the loss", 0],
  ])("C4: a flow whose end was lost %s is never told", (_when, ms) => {
    const world = settled(22, 2);
    const [a, b] = world.boxes;
    const record = open(world, a, 1);
    world.run(ms);
    a.isDeaf = true;
    world.gone(a, record);
    world.run(ms);
    a.isDeaf = false;
    world.run(TOLD_MS * 2);
    expect([has(b, record), counters(world, a).told]).toEqual([false, 0]);
  });

  test("what is read of a flow does not end it where a peer has told it anew meanwhile", () => {
    const world = settled(52, 2);
    const [a, b] = world.boxes;
    b.sync?.onUnheard(false, world.now); // what it asks for comes at our leave
    world.run(10);
    const record = open(world, a, 1);
    world.run(TOLD_MS);
    world.act(b, (sync) => sync.onDump([{ ...record, state: "over" }], world.now));
    world.own(b, [...b.owned, record.bucket]);
    world.run(TOLD_MS);
    expect([has(a, record), has(b, record)]).toEqual([true, true]);
    expect(world.differences()).toEqual([]);
  });

  test("a replica that the kernel has dropped is created again", () => {
    const world = settled(18, 2);
    const [a, b] = world.boxes;
    const record = open(world, a, 1);
    world.run(TOLD_MS);
    world.gone(b, record);
    world.run(1000);
    expect(has(b, record)).toBe(false);
    world.run(1500);
    expect(has(b, record)).toBe(true);
    expect(counters(world, b).recreated).toBe(1);
  });

  test("a flow whose end was lost while nobody owned its bucket is not told when we do", () => {
    const random32 = () => 1;
    const settings = flowSettings({ node: 1, buckets: 4, windowMs: 0, random32 });
    const sync = new FlowSync(settings, 0);
    sync.onDump([flow(1, 2)], 10);
    sync.onUnheard(true, 20);
    sync.onRange(Uint32Array.of(0b1111), 1, 30);
    sync.onTick(40);
    sync.onDump([flow(2, 2)], 50);
    sync.onTick(60);
    expect([...sync.shelf.table.all()].map(({ key }) => key)).toEqual([keyOf(flow(2, 2))]);
  });

  test("a flood without replies is neither told nor kept beyond its bound", () => {
    const world = settled(19, 2, { flowsMax: 1024 });
    const [a, b] = world.boxes;
    const kept = Array.from({ length: 500 }, (_, index) => open(world, a, index));
    world.run(1000);
    for (let index = 1000; index < 21_000; index++) open(world, a, index, { status: 0 });
    world.run(WINDOW_MS * UNREPLIED_WINDOWS + 1000);
    for (const box of [a, b]) {
      expect(box.sync?.shelf.table.size).toBeLessThanOrEqual(1024);
      expect(kept.every((record) => box.sync?.shelf.table.get(keyOf(record)))).toBe(true);
    }
  });

  test("a broken payload is counted, and what it said is found by the digests", () => {
    const world = settled(20, 2);
    const [a, b] = world.boxes;
    a.sync?.broadcast.publish(Uint8Array.from([99, 1, 2]), world.now);
    const record = open(world, a, 1);
    world.run(1000);
    expect(counters(world, b).malformedOps).toBe(1);
    expect(has(b, record)).toBe(true);
  });
});
