/** What nodes tell each other of how they follow each other, and of how they are themselves. */
import { describe, expect, test } from "vitest";
import { describe as describeFlows } from "../../../src/cluster/flows/description.js";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { isData } from "../../../src/cluster/frame/data.js";
import { KIND } from "../../../src/cluster/frame/kind.js";
import { ACK_REST_MS } from "../../../src/cluster/limits.js";
import type { Box } from "./net.js";
import { bucketOf, open, settled, TOLD_MS } from "./settled.js";
import type { FlowWorld } from "./world.js";

/** What has changed is acknowledged within ACK_MS, how far a peer has come within ACK_REST_MS. */
const ACKED_MS = ACK_REST_MS + 20;
/** Digests follow each other as slowly. */
const DIGESTS = 1;

function peerOf(world: FlowWorld, box: Box, other: Box) {
  const peer = box.sync?.health(world.now).peers.find(({ node }) => node === other.id);
  if (!peer) throw new Error(`node ${box.id} does not know node ${other.id}`);
  return peer;
}

describe("each direction has its own health", () => {
  test("at rest both are complete, and nothing is left to acknowledge", () => {
    const world = settled(41, 2);
    const [a, b] = world.boxes;
    open(world, a, 1);
    world.run(TOLD_MS + ACKED_MS);
    const there = { isFollowing: true, isComplete: true, lag: 0 };
    expect(peerOf(world, a, b)).toMatchObject({ lag: 0, there, degraded: null });
    expect(peerOf(world, b, a)).toMatchObject({ lag: 0, there, degraded: null });
    expect(peerOf(world, a, b).there?.unacknowledged).toBeLessThanOrEqual(DIGESTS);
  });

  test("frames lost one way: the receiver lacks them, the sender knows that it does", () => {
    const world = settled(42, 2);
    const [a, b] = world.boxes;
    world.passes = (from, _to, body) => from !== a || !isData(body);
    for (let index = 0; index < 5; index++) {
      open(world, a, index);
      world.run(TOLD_MS);
    }
    expect(peerOf(world, b, a).lag).toBeGreaterThanOrEqual(5);
    world.run(ACKED_MS);
    const { lag, there } = peerOf(world, a, b);
    expect(lag).toBe(0);
    expect(there?.lag).toBeGreaterThanOrEqual(5);
    expect(there?.unacknowledged).toBeGreaterThanOrEqual(5);
    world.passes = () => true;
    world.run(300);
    expect(peerOf(world, a, b).there?.lag).toBe(0);
    expect(peerOf(world, a, b).there?.unacknowledged).toBeLessThanOrEqual(DIGESTS);
    expect(b.sync?.health(world.now).peers[0]?.outOfSync).toBe(0);
  });

  test("a gap that the buffer does not hold is repaired by a resync, and counted", () => {
    const world = settled(43, 2, { frames: 16 });
    const [a, b] = world.boxes;
    world.passes = (from, _to, body) => from !== a || !isData(body);
    for (let index = 0; index < 24; index++) {
      open(world, a, index);
      world.run(TOLD_MS);
    }
    world.passes = () => true;
    world.run(2000);
    expect(peerOf(world, b, a)).toMatchObject({ isComplete: true, lag: 0 });
    expect(peerOf(world, b, a).outOfSync).toBeGreaterThan(0);
    expect(world.differences()).toEqual([]);
  });

  test("an older ACK that arrives later changes nothing", () => {
    const world = settled(44, 2);
    const [a, b] = world.boxes;
    const acks: Uint8Array[] = [];
    world.passes = (from, _to, body) => {
      if (from === b && body[0] === KIND.ack) acks.push(body);
      return true;
    };
    world.run(300);
    open(world, a, 1);
    world.run(TOLD_MS + ACKED_MS);
    const before = peerOf(world, a, b).there;
    const from = { node: b.id, incarnation: b.incarnation };
    world.act(a, (sync) => sync.onBody(from, acks[0] as Uint8Array, world.now));
    expect(peerOf(world, a, b).there).toEqual(before);
  });

  test("a truncated ACK is counted, not believed", () => {
    const world = settled(45, 2);
    const [a, b] = world.boxes;
    const from = { node: b.id, incarnation: b.incarnation };
    const before = a.sync?.receiver.malformed ?? 0;
    world.act(a, (sync) => sync.onBody(from, Uint8Array.of(KIND.ack, 1, 0, 0), world.now));
    expect(a.sync?.receiver.malformed).toBe(before + 1);
    expect(peerOf(world, a, b).degraded).toBeNull();
  });
});

describe("C4: a node that may have told what is not so says it", () => {
  test("while its kernel's table is being read, and no longer", () => {
    const world = settled(46, 3);
    const [a, b, c] = world.boxes;
    a.isDeaf = true;
    open(world, a, 1);
    world.run(5);
    a.isDeaf = false;
    const seen = new Set<string>();
    world.runUntil(200, () => {
      for (const box of [b, c]) {
        const { degraded } = peerOf(world, box, a);
        if (degraded) seen.add(`${box.id}: ${degraded.why}`);
      }
      return false;
    });
    expect([...seen].sort()).toEqual(["2: kernel events lost", "3: kernel events lost"]);
    for (const box of [b, c]) {
      expect(peerOf(world, box, a).degraded).toBeNull();
      expect(box.told.filter((name) => /^peer(Degraded|Well)$/.test(name)).slice(-2)).toEqual([
        "peerDegraded",
        "peerWell",
      ]);
    }
  });

  test("also where it is over before anybody could be told", () => {
    const world = settled(57, 2);
    const [a, b] = world.boxes;
    world.act(a, (sync) => sync.onUnheard(true, world.now).filter(({ kind }) => kind !== "dump"));
    world.act(a, (sync) => sync.onDump([...a.kernel.values()], world.now));
    expect(a.sync?.health(world.now).degraded).toBeNull();
    world.run(50);
    expect(b.told.slice(-2)).toEqual(["peerDegraded", "peerWell"]);
    expect(peerOf(world, b, a)).toMatchObject({ degraded: null });
    expect(peerOf(world, b, a).degradations).toBeGreaterThan(0);
  });

  test("for as long as it lasts, from its beginning", () => {
    const world = settled(47, 2);
    const [a, b] = world.boxes;
    world.act(a, (sync) => sync.onUnheard(true, world.now).filter(({ kind }) => kind !== "dump"));
    world.run(1000);
    const { forMs } = peerOf(world, b, a).degraded ?? { forMs: 0 };
    expect(forMs).toBeGreaterThan(950);
    expect(forMs).toBeLessThanOrEqual(1000);
  });
});

describe("what `flows` tells", () => {
  test("a flow is young, then told, then acknowledged; at the peer it is a replica", () => {
    const world = settled(48, 2);
    const [a, b] = world.boxes;
    const record = open(world, a, 1);
    const born = world.now;
    const at = (box: Box) => box.sync && describeFlows(box.sync, [keyOf(record)], world.now)[0];
    world.run(50);
    expect(at(a)).toMatchObject({ role: "young", peers: [] });
    world.passes = (from, _to, body) => from !== b || body[0] !== KIND.ack;
    world.run(TOLD_MS);
    expect(at(a)).toMatchObject({ role: "own", peers: [] });
    world.passes = () => true;
    world.run(ACKED_MS);
    expect(at(a)).toMatchObject({ role: "own", peers: [2] });
    const { ageMs = 0 } = at(a) ?? {};
    expect(world.now - born - ageMs).toBeLessThanOrEqual(10);
    expect(at(b)).toMatchObject({ role: "replica", peers: [] });
  });

  test("an update keeps the age, and has to be acknowledged anew", () => {
    const world = settled(49, 2);
    const [a, b] = world.boxes;
    const record = open(world, a, 1);
    const at = () => a.sync && describeFlows(a.sync, [keyOf(record)], world.now)[0];
    world.run(2000);
    world.passes = (from, _to, body) => from !== b || body[0] !== KIND.ack;
    world.alive(a, { ...record, mark: 5 });
    world.run(TOLD_MS);
    expect(at()).toMatchObject({ role: "own", peers: [] });
    expect(at()?.ageMs).toBeGreaterThan(1900);
  });

  test("a key that nobody knows", () => {
    const world = settled(50, 1);
    const [a] = world.boxes;
    expect(bucketOf(a)).toBeDefined();
    expect(a.sync && describeFlows(a.sync, ["nothing"], world.now)).toEqual([null]);
  });
});
