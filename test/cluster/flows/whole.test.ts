/**
 * All layers together: real nodes with membership, ranges, transport, and flow replication on top,
 * joined as the control and the sync thread join them.
 */
import { describe, expect, test } from "vitest";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { KIND } from "../../../src/cluster/frame/kind.js";
import { encodeRepair } from "../../../src/cluster/frame/repair.js";
import { World } from "../harness.js";
import { BUCKETS, Firewall, openFlows, owner, start } from "./firewall.js";

describe("with membership and ranges", () => {
  test("two deaths and a return: every flow is with its owner all the time", () => {
    for (const seed of [1, 2, 3]) {
      const { world, walls } = start(seed, [1, 2, 3]);
      const records = openFlows(world, walls, 300);
      const lost = () => {
        const live = walls.filter(({ machine }) => machine.node);
        return records.filter((each) => !owner(live, each)?.kernel.has(keyOf(each))).length;
      };
      expect([seed, lost()]).toEqual([seed, 0]);
      world.crash(walls[1].machine);
      world.run(400);
      expect([seed, lost()]).toEqual([seed, 0]);
      world.crash(walls[2].machine);
      world.run(400);
      expect([seed, lost()]).toEqual([seed, 0]);
      for (const wall of walls.slice(1)) wall.restart();
      for (let at = 0; at < 12_000; at += 100) {
        world.run(100);
        expect([seed, at, lost()]).toEqual([seed, at, 0]);
      }
      expect(world.isSettled([1, 2, 3])).toBe(true);
      expect(walls.map(({ kernel }) => kernel.size)).toEqual([300, 300, 300]);
    }
  }, 30_000);

  test("a drained node hands its flows over, and gets them back", () => {
    const { world, walls } = start(4, [1, 2, 3]);
    const records = openFlows(world, walls, 300);
    walls[0].machine.node?.drain();
    expect(world.runUntil(3000, () => walls[0].machine.said.includes("drained"))).not.toBeNull();
    expect(records.every((each) => owner(walls.slice(1), each).kernel.has(keyOf(each)))).toBe(true);
    walls[0].machine.node?.join();
    expect(world.runUntil(15_000, () => world.isSettled([1, 2, 3]))).not.toBeNull();
  });
});

describe("what goes up from the control side", () => {
  const bodies = (wall: Firewall) => wall.heard.filter(({ kind }) => kind === "body");

  test("a body of a live peer does, one of a dead incarnation does not", () => {
    const { world, walls } = start(5, [1, 2]);
    const [a, b] = walls;
    const body = encodeRepair({ node: 2, incarnation: 1n }, [0]);
    const before = bodies(b).length;
    world.isRecording = true;
    a.send(body);
    world.isRecording = false;
    world.run(10);
    const arrived = bodies(b).slice(before) as { from: { node: number }; body: Uint8Array }[];
    expect(arrived.filter(({ from }) => from.node === 1).map((each) => each.body)).toContainEqual(
      body,
    );
    world.crash(a.machine);
    world.run(400);
    expect(b.heard.at(-1)).toMatchObject({ kind: "peerDown", peer: { node: 1 } });
    b.restart(); // a new incarnation has seen no counter yet: for it, the recorded body is new
    world.run(100);
    const heard = bodies(b).length;
    for (const { link, bytes } of world.recorded) world.inject(b.machine, link, bytes);
    world.run(10);
    expect(bodies(b)).toHaveLength(heard);
    expect(b.machine.node?.snapshot(world.now).refused.unconfirmed).toBeGreaterThan(0);
  });

  test("a node of other settings is no peer of the flow layers", () => {
    const world = new World(6, BUCKETS);
    const a = new Firewall(world, 1);
    const stranger = world.add(2, { configDigest: 2n });
    world.run(1000);
    world.act(stranger, (node) => node.sendBody(encodeRepair({ node: 1, incarnation: 1n }, [0])));
    world.run(10);
    expect(a.heard.filter(({ kind }) => kind === "peerUp" || kind === "body")).toEqual([]);
  });

  test("heartbeats tell the newest DATA frame, and a repaired one does not set it back", () => {
    const { world, walls } = start(7, [1, 2]);
    const [a, b] = walls;
    openFlows(world, walls, 10);
    const newest = (a.sync.broadcast.buffer.next - 1) >>> 0;
    const old = a.sync.broadcast.buffer.repeat((newest - 1) >>> 0, world.now) as Uint8Array;
    expect(old[0]).toBe(KIND.data);
    a.send(old);
    world.run(60);
    const told = b.heard.filter(({ kind }) => kind === "sent").slice(-1);
    expect(told).toMatchObject([{ from: { node: 1 } }]);
    const [last] = told as { sequence: number }[];
    expect((last.sequence - newest) | 0).toBeGreaterThanOrEqual(0);
  });
});
