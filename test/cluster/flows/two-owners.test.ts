/** Flows that two nodes let in: each end of them, and each translation, is one in the end. */
import { describe, expect, test } from "vitest";
import type { Replicated } from "../../../src/cluster/flows/record.js";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { isData } from "../../../src/cluster/frame/data.js";
import { CONTEST_MS } from "../../../src/cluster/limits.js";
import { ASSURED, flow } from "./flows.js";
import type { Box } from "./net.js";
import { bucketOf, counters, open, settled, TOLD_MS, WINDOW_MS } from "./settled.js";
import type { FlowWorld } from "./world.js";

const portOf = (record: Replicated) => (record.kind === "flow" ? record.reply.dstPort : 0);
const translated = (port: number, status: number) => {
  const { reply } = flow(1, 0);
  return { reply: { ...reply, dstPort: port }, status };
};
const ports = (world: FlowWorld) =>
  world.boxes.map(({ kernel }) => [...kernel.values()].map(portOf).join());

/** `other` takes a bucket too, ends a flow of it and gives it up; then `owner` has that flow. */
function endsThenBegins(world: FlowWorld, other: Box, owner: Box, bucket: number): void {
  const before = [...other.owned];
  world.own(other, [...before, bucket]);
  world.alive(other, flow(1, bucket));
  world.run(TOLD_MS);
  world.gone(other, flow(1, bucket));
  world.run(TOLD_MS);
  world.own(other, before);
  world.alive(owner, flow(1, bucket));
}

describe("a flow of two owners", () => {
  test.each([
    ["is young", 0],
    ["was young when the bucket was given up", 10],
  ])("a flow that two owners let in is translated alike everywhere, where one %s", (_, ms) => {
    const world = settled(21, 3);
    const [a, b, c] = world.boxes;
    const bucket = bucketOf(a);
    world.own(b, [...b.owned, bucket]);
    world.alive(a, flow(1, bucket, translated(5001, 0)));
    world.alive(b, flow(1, bucket, translated(5002, ASSURED)));
    world.run(ms);
    if (ms > 0) {
      world.own(
        a,
        [...a.owned].filter((each) => each !== bucket),
      );
    }
    world.run(TOLD_MS + 100);
    expect(c.kernel.size).toBe(1);
    expect(new Set(ports(world)).size).toBe(1);
  });

  /** The second owner let the first packet in as well, but after the answer had passed. */
  test.each([
    ["before the second's kernel has told of it", false, 10],
    ["before the second has told of it", true, 10],
    ["after the second has told of it", true, 600],
  ])("a flow whose answer only the first owner saw, as it tells %s", (_, isHeard, firstMs) => {
    const world = settled(29, 3, { windowMs: 50, unrepliedMs: 400 });
    const [a, b] = world.boxes;
    const bucket = bucketOf(a);
    const waiting = flow(1, bucket, { state: "opening", status: 0 });
    world.own(b, [...b.owned, bucket]);
    if (isHeard) world.alive(b, waiting);
    else b.kernel.set(keyOf(waiting), waiting);
    world.run(10);
    world.own(
      a,
      [...a.owned].filter((each) => each !== bucket),
    );
    world.run(firstMs - 10);
    world.alive(a, flow(1, bucket));
    world.run(1000);
    for (const { kernel } of world.boxes) {
      expect(kernel.get(keyOf(waiting))).toMatchObject({ state: "established", status: ASSURED });
    }
    expect(world.differences()).toEqual([]);
  });

  /** Each let the first packet in, the second after the answer had passed; then they meet again. */
  test.each([
    ["the one that saw the answer", 0],
    ["the one that did not", 1],
    ["a third node", 2],
  ])("a flow of two halves of a cluster has its answer, whichever keeps it: %s", (_, keeper) => {
    const world = settled(33, 3, { windowMs: 50, unrepliedMs: 100 });
    const [a, b] = world.boxes;
    const bucket = bucketOf(a);
    const waiting = flow(1, bucket, { state: "opening", status: 0 });
    world.run(CONTEST_MS);
    world.passes = (from, to) => (from === b) === (to === b);
    world.own(b, [...b.owned, bucket]);
    world.alive(a, flow(1, bucket));
    world.alive(b, waiting);
    world.run(10 * CONTEST_MS);
    world.passes = () => true;
    for (const [index, box] of world.boxes.entries()) {
      const others = [...box.owned].filter((each) => each !== bucket);
      world.own(box, index === keeper ? [...others, bucket] : others);
    }
    world.run(10 * CONTEST_MS);
    for (const { kernel } of world.boxes) {
      expect(kernel.get(keyOf(waiting))).toMatchObject({ state: "established", status: ASSURED });
    }
    expect(world.differences()).toEqual([]);
  });

  test("is one for a third owner that hears of its answer, but not of it from the second", () => {
    const world = settled(30, 3, { windowMs: 50, unrepliedMs: 100 });
    const [a, b, c] = world.boxes;
    const bucket = bucketOf(a);
    world.own(b, [...b.owned, bucket]);
    world.alive(b, flow(1, bucket, { state: "opening", status: 0 }));
    world.run(10);
    world.own(
      a,
      [...a.owned].filter((each) => each !== bucket),
    );
    world.passes = (from, to, body) => from !== b || to !== c || !isData(body);
    world.run(300);
    world.own(c, [...c.owned, bucket]);
    world.own(
      b,
      [...b.owned].filter((each) => each !== bucket),
    );
    world.alive(a, flow(1, bucket));
    world.run(100);
    world.passes = () => true;
    world.run(6000);
    expect(world.differences()).toEqual([]);
    expect(b.ready(bucket)).toBe(true);
  });

  test("to take another translation is no end of the flow", () => {
    const world = settled(24, 2);
    const [a, b] = world.boxes;
    const bucket = bucketOf(a);
    world.own(b, [...b.owned, bucket]);
    world.alive(a, flow(1, bucket, translated(5001, ASSURED)));
    world.run(TOLD_MS);
    world.alive(b, flow(1, bucket, translated(5002, ASSURED)));
    world.run(TOLD_MS + 200);
    expect(ports(world)).toEqual(["5002", "5002"]);
    expect(world.boxes.map((box) => counters(world, box).removed)).toEqual([0, 0]);
  });

  test.each(["established", "over"] as const)(
    "nor where the old one's last event, that it is %s, is read after it",
    (state) => {
      const world = settled(24, 2);
      const [a, b] = world.boxes;
      const bucket = bucketOf(a);
      const before = flow(1, bucket, translated(5001, ASSURED));
      world.own(b, [...b.owned, bucket]);
      world.alive(a, before);
      world.run(TOLD_MS);
      world.alive(b, flow(1, bucket, translated(5002, ASSURED)));
      for (let ms = 0; ms < TOLD_MS && a.events.length === 0; ms++) world.run(1);
      expect(a.events.map(({ kind }) => kind)).toContain("gone");
      a.events.unshift({ kind: "alive", record: { ...before, state } });
      world.run(TOLD_MS + 200);
      expect(ports(world)).toEqual(["5002", "5002"]);
      expect(world.boxes.map((box) => counters(world, box).removed)).toEqual([0, 0]);
    },
  );

  test("nor does a former owner keep its own, where its kernel tells of it late", () => {
    const world = settled(27, 2);
    const [a, b] = world.boxes;
    const bucket = bucketOf(a);
    const old = flow(1, bucket, translated(5001, ASSURED));
    world.own(b, [...b.owned, bucket]);
    a.kernel.set(keyOf(old), old);
    world.alive(b, flow(1, bucket, translated(5002, ASSURED)));
    world.run(TOLD_MS);
    world.own(
      a,
      [...a.owned].filter((each) => each !== bucket),
    );
    a.events.push({ kind: "alive", record: old });
    world.run(TOLD_MS);
    expect(ports(world)).toEqual(["5002", "5002"]);
    expect(world.differences()).toEqual([]);
  });

  test("an owner who comes second, under an older term, takes the other's translation", () => {
    const world = settled(25, 2);
    const [a, b] = world.boxes;
    const bucket = bucketOf(a);
    world.own(b, [...b.owned, bucket]);
    world.alive(b, flow(1, bucket, translated(5002, ASSURED)));
    world.run(TOLD_MS);
    world.alive(a, flow(1, bucket, translated(5001, ASSURED)));
    world.run(TOLD_MS);
    world.own(
      a,
      [...a.owned].filter((each) => each !== bucket),
    );
    world.run(TOLD_MS);
    expect(ports(world)).toEqual(["5002", "5002"]);
    expect(world.differences()).toEqual([]);
  });

  test("a flow that another owner ended under a higher term is told when it is our bucket", () => {
    const world = settled(26, 2);
    const [a, b] = world.boxes;
    const bucket = bucketOf(a);
    endsThenBegins(world, b, a, bucket);
    world.run(CONTEST_MS + 2 * TOLD_MS);
    expect(world.union()).toEqual([keyOf(flow(1, bucket))]);
    expect(world.differences()).toEqual([]);
  });

  test("but not where its end here was not heard: the kernel's table shows it", () => {
    const world = settled(28, 2);
    const [a, b] = world.boxes;
    const bucket = bucketOf(a);
    endsThenBegins(world, b, a, bucket);
    world.run(WINDOW_MS - 10);
    a.isDeaf = true;
    world.gone(a, flow(1, bucket)); // it is told, and refused, while the table is read for that
    a.isDeaf = false;
    world.run(CONTEST_MS + 3 * TOLD_MS);
    expect(world.union()).toEqual([]);
    expect(world.differences()).toEqual([]);
  });

  test("a node that starts takes the others' translation of a flow that its kernel has", () => {
    const world = settled(23, 2);
    const [a, b] = world.boxes;
    const record = open(world, a, 1, translated(5001, ASSURED));
    world.run(TOLD_MS);
    world.crash(b);
    b.kernel.set(keyOf(record), { ...record, ...translated(5002, ASSURED) });
    world.run(1000);
    world.start(b);
    world.run(3000);
    expect(ports(world)).toEqual(["5001", "5001"]);
    const foreign = a.owned.has(record.bucket) ? b : a;
    foreign.kernel.set(keyOf(record), { ...record, ...translated(5003, ASSURED) });
    world.act(foreign, (sync) => sync.onResync(world.now));
    world.run(1000);
    expect(ports(world)).toEqual(["5001", "5001"]);
  });
});
