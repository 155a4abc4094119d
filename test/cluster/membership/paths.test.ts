/** Links that go silent at one end while the peer lives on another: transcripts of two nodes. */
import { expect, test } from "vitest";
import { World } from "../harness.js";

const BEAT_MS = 50;
const FAILURE_MS = 200;
/** Until a cut at the far end is known here: its patience, and a beat that says so. */
const TOLD_MS = FAILURE_MS + 2 * BEAT_MS;

function pair(): World {
  const world = new World(7, 64);
  world.add(1, { links: 2 });
  world.add(2, { links: 2 });
  world.run(3000);
  expect(linkEvents(world)).toEqual([[], []]);
  return world;
}

/** What each node told about links, in words. */
function linkEvents(world: World): string[][] {
  return world.machines.map(({ events }) =>
    events.flatMap((event) =>
      event.name === "linkSilent" || event.name === "linkBack"
        ? [`${event.name} ${event.node}/${event.link} ${event.end}`]
        : [],
    ),
  );
}

test("a link cut both ways: both ends say so, and no node is taken for dead", () => {
  const world = pair();
  world.passes = (_from, _to, link) => link !== 1;
  world.run(TOLD_MS);
  const [a = [], b = []] = linkEvents(world);
  expect(a.sort()).toEqual(["linkSilent 2/1 here", "linkSilent 2/1 there"]);
  expect(b.sort()).toEqual(["linkSilent 1/1 here", "linkSilent 1/1 there"]);
  world.passes = () => true;
  world.run(TOLD_MS);
  const [back = []] = linkEvents(world);
  expect(back.slice(2).sort()).toEqual(["linkBack 2/1 here", "linkBack 2/1 there"]);
  for (const { events } of world.machines) {
    expect(events.some(({ name }) => name === "nodeDown")).toBe(false);
  }
});

test("a link cut in one direction: each end names the other end of the fault", () => {
  const world = pair();
  world.passes = (from, _to, link) => !(from === 1 && link === 0);
  world.run(TOLD_MS);
  expect(linkEvents(world)).toEqual([["linkSilent 2/0 there"], ["linkSilent 1/0 here"]]);
});

test("the last link cut in one direction: who still hears knows that it is not heard", () => {
  const world = pair();
  world.passes = (from) => from !== 1;
  world.run(TOLD_MS);
  const [a = []] = linkEvents(world);
  expect(a.sort()).toEqual(["linkSilent 2/0 there", "linkSilent 2/1 there"]);
  const down = world.machines[1]?.events.some((e) => e.name === "nodeDown" && e.node === 1);
  expect(down).toBe(true);
});
