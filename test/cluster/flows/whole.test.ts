/**
 * All layers together: real nodes with membership, ranges, transport, and flow replication on top,
 * joined as the control and the sync thread join them.
 */
import { describe, expect, test } from "vitest";
import type { FlowOutput } from "../../../src/cluster/flows/output.js";
import type { Replicated } from "../../../src/cluster/flows/record.js";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { flowSettings } from "../../../src/cluster/flows/settings.js";
import { FlowSync } from "../../../src/cluster/flows/sync.js";
import { KIND } from "../../../src/cluster/frame/kind.js";
import { encodeRepair } from "../../../src/cluster/frame/repair.js";
import type { FlowInput, Output } from "../../../src/cluster/output.js";
import { hasBucket } from "../../../src/cluster/ranges/bitmap.js";
import { World } from "../harness.js";
import type { Machine } from "../machine.js";
import { flow } from "./flows.js";

const BUCKETS = 64;

/** A machine with the flows of its kernel, and its replication. */
class Firewall {
  readonly kernel = new Map<string, Replicated>();
  readonly heard: FlowInput[] = [];
  readonly machine: Machine;
  sync: FlowSync;
  private isSynced = true;
  private ready: (bucket: number) => boolean = () => false;

  constructor(
    private readonly world: World,
    id: number,
  ) {
    this.sync = this.newSync(id);
    const inputs = {
      isSynced: () => this.isSynced,
      mayClaim: (bucket: number) => this.ready(bucket),
    };
    this.machine = world.add(id, {}, inputs);
    this.begin();
  }

  /** Starts a machine that has crashed, with an empty kernel. */
  restart(): void {
    this.kernel.clear();
    this.sync = this.newSync(this.machine.id);
    this.world.start(this.machine);
    this.begin();
  }

  owns(bucket: number): boolean {
    return this.machine.node !== null && hasBucket(this.machine.owned, bucket);
  }

  opens(record: Replicated): void {
    this.kernel.set(keyOf(record), record);
    this.carry(this.sync.onEvents([{ kind: "alive", record }], this.world.now));
  }

  send(body: Uint8Array): void {
    this.world.act(this.machine, (node) => node.sendBody(body));
  }

  private newSync(node: number): FlowSync {
    const { world } = this;
    const random32 = () => Math.floor(world.random() * 2 ** 32);
    return new FlowSync(flowSettings({ node, buckets: BUCKETS, random32 }), world.now);
  }

  /** Listens to everything the node says, before the world carries it out. */
  private begin(): void {
    const { node } = this.machine;
    if (!node) return;
    const { incarnation } = node.snapshot(this.world.now);
    this.carry(this.sync.onSelf({ node: this.machine.id, incarnation }, this.world.now));
    const onDatagram = node.onDatagram.bind(node);
    node.onDatagram = (...args) => this.listen(onDatagram(...args));
    const onTick = node.onTick.bind(node);
    node.onTick = (now) => {
      this.carry(this.sync.onTick(now));
      return this.listen(onTick(now));
    };
  }

  private listen(outputs: Output[]): Output[] {
    const { now } = this.world;
    for (const output of outputs) {
      if (output.kind === "up") this.hear(output.input);
      else if (output.kind === "lease") {
        const epoch = this.machine.node?.snapshot(now).epoch ?? 0;
        this.carry(this.sync.onRange(output.owned, epoch, now));
      } else if (output.kind === "revoke") {
        this.carry(this.sync.onRange(new Uint32Array(BUCKETS / 32), 0, now));
      }
    }
    return outputs;
  }

  private hear(input: FlowInput): void {
    this.heard.push(input);
    const { now } = this.world;
    switch (input.kind) {
      case "self":
        return this.carry(this.sync.onSelf(input.self, now));
      case "peerUp":
        return this.carry(this.sync.onPeerUp(input.peer, now));
      case "peerDown":
        return this.carry(this.sync.onPeerDown(input.peer, now));
      case "body":
        return this.carry(this.sync.onBody(input.from, input.body, now));
      case "sent":
        return this.carry(this.sync.onSent(input.from, input.sequence, now));
    }
  }

  private carry(outputs: readonly FlowOutput[]): void {
    for (const output of outputs) {
      if (output.kind === "send") this.send(output.body);
      else if (output.kind === "synced") this.isSynced = output.isSynced;
      else if (output.kind === "ready") this.ready = (at) => hasBucket(output.buckets, at);
      else if (output.kind === "dump") {
        this.carry(this.sync.onDump([...this.kernel.values()], this.world.now));
      } else if (output.kind === "kernel") {
        if (output.op === "delete") this.kernel.delete(keyOf(output.record));
        else this.kernel.set(keyOf(output.record), output.record);
      }
    }
  }
}

function start(seed: number, ids: readonly number[]): { world: World; walls: Firewall[] } {
  const world = new World(seed, BUCKETS);
  const walls = ids.map((id) => new Firewall(world, id));
  if (world.runUntil(15_000, () => world.isSettled(ids)) === null) {
    throw new Error(`seed ${seed}: not settled: ${JSON.stringify(world.accepted())}`);
  }
  return { world, walls };
}

/** Opens `count` flows at their owners and waits until they are told. */
function openFlows(world: World, walls: readonly Firewall[], count: number): Replicated[] {
  const records = Array.from({ length: count }, (_, index) => flow(index, index % BUCKETS));
  for (const record of records) walls.find((wall) => wall.owns(record.bucket))?.opens(record);
  world.run(700);
  return records;
}

const owner = (walls: readonly Firewall[], { bucket }: Replicated) =>
  walls.find((wall) => wall.owns(bucket)) as Firewall;

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
