/** What is told of a flow, when, and how flows go over with their buckets. */
import { describe, expect, test } from "vitest";
import type { Expectation } from "../../../src/cluster/flows/record.js";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { KIND } from "../../../src/cluster/frame/kind.js";
import { UNREPLIED_WINDOWS } from "../../../src/cluster/limits.js";
import { flow } from "./flows.js";
import { bucketOf, counters, has, open, settled, TOLD_MS, WINDOW_MS } from "./settled.js";
import { FlowWorld } from "./world.js";

describe("the window", () => {
  test("a flow that outlives it is in every kernel, and its end too", () => {
    const world = settled(1, 3);
    const [a, b, c] = world.boxes;
    const record = open(world, a, 1);
    world.run(WINDOW_MS - 20);
    expect([has(b, record), has(c, record)]).toEqual([false, false]);
    world.run(60);
    expect([has(b, record), has(c, record)]).toEqual([true, true]);
    world.gone(a, record);
    world.run(30);
    expect([has(b, record), has(c, record)]).toEqual([false, false]);
    expect(world.differences()).toEqual([]);
  });

  test("a flow that is born and is over within it costs nothing on the wire", () => {
    const world = settled(2, 2);
    const quiet = new FlowWorld(2, 16);
    for (let id = 1; id <= 2; id++) quiet.add(id);
    quiet.run(3000);
    const [a] = world.boxes;
    for (let index = 1; index <= 50; index++) {
      const record = open(world, a, index);
      world.at(WINDOW_MS - 30, () => world.alive(a, { ...record, state: "over" }));
    }
    world.run(2000);
    quiet.run(2000);
    expect(counters(world, a)).toMatchObject({ told: 0, removed: 0, coalesced: 50 });
    expect(world.kinds).toEqual(quiet.kinds);
  });

  test("many changes within it are told once; a change that is taken back is not told", () => {
    const world = settled(3, 2);
    const [a, b] = world.boxes;
    const record = open(world, a, 1);
    world.run(TOLD_MS);
    for (let mark = 1; mark <= 20; mark++) {
      world.alive(a, { ...record, mark });
      world.run(5);
    }
    world.run(TOLD_MS);
    expect(counters(world, a).told).toBe(2);
    expect(b.kernel.get(keyOf(record))).toMatchObject({ mark: 20 });
    world.alive(a, { ...record, mark: 1 });
    world.run(20);
    world.alive(a, { ...record, mark: 20 });
    world.run(TOLD_MS);
    expect(counters(world, a).told).toBe(2);
  });

  test("a flow without a reply waits longer, and is told when its reply comes", () => {
    const world = settled(4, 2);
    const [a, b] = world.boxes;
    const record = open(world, a, 1, { status: 0 });
    world.run(WINDOW_MS * (UNREPLIED_WINDOWS - 1));
    expect(has(b, record)).toBe(false);
    world.alive(a, flow(1, record.bucket));
    world.run(30);
    expect(has(b, record)).toBe(true);
  });

  test("what the filters leave out is not told, and not put into a kernel", () => {
    const isWanted = (record: { protocol: number }) => record.protocol !== 17;
    const world = settled(5, 2, { isWanted });
    const [a, b] = world.boxes;
    const record = open(world, a, 1, { protocol: 17 });
    world.run(1000);
    expect(has(b, record)).toBe(false);
    expect(counters(world, a).told).toBe(0);
  });

  test("an expectation is replicated as a flow is", () => {
    const world = settled(21, 2);
    const [a, b] = world.boxes;
    const control = flow(1, bucketOf(a));
    const expectation: Expectation = {
      ...{ kind: "expectation", protocol: 6, bucket: control.bucket, zone: 0, timeoutClass: 33 },
      ...{ original: control.original, mask: control.original, helper: "ftp", fn: "" },
      ...{ master: { protocol: 6, ...control.original }, flags: 0, class: 0, nat: null },
    };
    world.alive(a, expectation);
    world.run(TOLD_MS);
    expect(b.kernel.get(keyOf(expectation))).toEqual(expectation);
    world.gone(a, expectation);
    world.run(30);
    expect(b.kernel.size).toBe(0);
  });

  test("the same tuple again as another flow: the old one ends everywhere first", () => {
    const world = settled(6, 2);
    const [a, b] = world.boxes;
    const record = open(world, a, 1);
    world.run(TOLD_MS);
    world.gone(a, record);
    world.alive(a, record);
    world.run(30);
    expect(has(b, record)).toBe(false);
    world.run(TOLD_MS);
    expect(has(b, record)).toBe(true);
    expect(counters(world, a)).toMatchObject({ told: 2, removed: 1 });
  });
});

describe("deaths and handovers", () => {
  test("the heirs have the flows before they have the buckets", () => {
    const world = settled(7, 3);
    const [a] = world.boxes;
    const records = Array.from({ length: 200 }, (_, index) => open(world, a, index));
    world.run(TOLD_MS);
    world.crash(a);
    world.run(250);
    for (const record of records) {
      const [owner] = world.owners(record.bucket);
      expect([has(owner, record), owner === a]).toEqual([true, false]);
    }
    expect(world.differences()).toEqual([]);
  });

  test("what only one survivor heard, all have: the dead node's last words are repeated", () => {
    const world = settled(8, 3);
    const [a, b, c] = world.boxes;
    world.passes = (from, to) => !(from === a && to === c);
    const bucket = [...a.owned].find((each) => each % 2 === 1) as number; // c will be the heir
    const record = flow(1, bucket);
    world.alive(a, record);
    world.run(TOLD_MS);
    expect([has(b, record), has(c, record)]).toEqual([true, false]);
    world.crash(a);
    world.run(300);
    expect([c.owned.has(bucket), has(c, record)]).toEqual([true, true]);
    expect(counters(world, b).relayed).toBe(1);
  });

  test("a flow younger than the window goes over with its bucket", () => {
    const world = settled(9, 2);
    const [a, b] = world.boxes;
    const record = open(world, a, 1);
    world.run(10);
    world.own(b, [...b.owned, record.bucket]);
    world.run(20);
    world.own(
      a,
      [...a.owned].filter((bucket) => bucket !== record.bucket),
    );
    world.run(5);
    expect(has(b, record)).toBe(true);
    world.run(12_000);
    expect(world.differences()).toEqual([]);
  });

  test("a flow let in just before the release, and heard of after it, goes over too", () => {
    const world = settled(10, 2);
    const [a, b] = world.boxes;
    const bucket = bucketOf(a);
    world.own(b, [...b.owned, bucket]);
    world.own(
      a,
      [...a.owned].filter((each) => each !== bucket),
    );
    world.run(50);
    const record = flow(1, bucket);
    world.alive(a, record);
    world.run(30);
    expect(has(b, record)).toBe(true);
    expect(counters(world, a).late).toBe(1);
  });

  test("a flow that the new owner has ended already goes from the former one's kernel too", () => {
    const world = settled(10, 2);
    const [a, b] = world.boxes;
    const bucket = bucketOf(a);
    world.own(b, [...b.owned, bucket]);
    world.alive(a, flow(1, bucket, { status: 0 }));
    world.alive(b, flow(1, bucket));
    world.run(TOLD_MS);
    world.gone(b, flow(1, bucket));
    world.run(50);
    world.own(
      a,
      [...a.owned].filter((each) => each !== bucket),
    );
    world.run(50);
    expect(has(a, flow(1, bucket))).toBe(false);
    expect(world.differences()).toEqual([]);
  });

  test("an entry of another translation that ends by itself makes room for the replica", () => {
    const world = settled(13, 2);
    const [a, b] = world.boxes;
    const record = flow(1, bucketOf(b));
    const other = { ...record, reply: { ...record.reply, dstPort: 9 } };
    a.kernel.set(keyOf(other), other);
    world.alive(b, record);
    world.run(TOLD_MS);
    world.gone(a, other);
    world.run(3000);
    expect(a.kernel.get(keyOf(record))).toEqual(record);
  });

  test("a bucket is ready only while all its flows are here", () => {
    const world = settled(11, 2);
    const [a, b] = world.boxes;
    const bucket = bucketOf(a);
    expect(b.ready(bucket)).toBe(true);
    world.passes = (from, _to, body) => !(from === a && body[0] === KIND.data);
    open(world, a, 1);
    world.run(TOLD_MS + 100);
    expect(b.ready(bucket)).toBe(false); // the heartbeat says that there is more
    world.passes = () => true;
    world.run(100);
    expect(b.ready(bucket)).toBe(true);
  });

  test("nor where they find no room: then their node keeps it until they do", () => {
    const world = settled(12, 2, { flowsMax: 4 });
    const [a, b] = world.boxes;
    const bucket = bucketOf(a);
    world.part(a, b);
    const ours = [10, 11, 12, 13].map((index) => open(world, b, index));
    const theirs = [1, 2, 3, 4].map((index) => open(world, a, index));
    world.run(TOLD_MS);
    world.join(a, b);
    world.run(3000);
    expect([has(b, theirs[0]), b.ready(bucket)]).toEqual([false, false]);
    for (const record of ours) world.gone(b, record);
    world.run(10_000);
    expect([has(b, theirs[0]), b.ready(bucket)]).toEqual([true, true]);
    expect(world.differences()).toEqual([]);
  });
});
