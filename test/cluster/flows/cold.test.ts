/** Nodes whose replicas come into the kernel with their bucket (`sync.replicas: cold`). */
import { describe, expect, test } from "vitest";
import type { Flow } from "../../../src/cluster/flows/record.js";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { UNWANTED_MS } from "../../../src/cluster/limits.js";
import { hasBucket } from "../../../src/cluster/ranges/bitmap.js";
import { BUCKETS, type Firewall, openFlows, owner, start } from "./firewall.js";
import { flow } from "./flows.js";

const IDS = [1, 2, 3];
const FLOWS = 300;
/** Until what was given up is out of the kernel: it lingers, then goes in a few ticks. */
const GONE_MS = UNWANTED_MS + 200;

/** Flows of a kernel that are not of a leased bucket. */
const foreign = ({ kernel, machine }: Firewall) =>
  [...kernel.values()].filter(({ bucket }) => !hasBucket(machine.owned, bucket)).length;

const isLive = ({ machine }: Firewall) => machine.node !== null;

describe.each([
  ["all cold", IDS],
  ["one of three cold", [2]],
  ["one of three warm", [1, 3]],
])("%s", (_, cold) => {
  const isCold = ({ machine }: Firewall) => cold.includes(machine.id);

  test("a cold kernel has the flows of its own buckets only, all tables have all", () => {
    const { world, walls } = start(1, IDS, cold);
    openFlows(world, walls, FLOWS);
    world.run(GONE_MS); // the first node had all buckets before the others came
    for (const wall of walls) {
      expect(wall.sync.health(world.now).flows).toBe(FLOWS);
      expect(foreign(wall) > 0).toBe(!isCold(wall));
    }
  });

  test("deaths and returns: every leased bucket has its flows in the kernel, at once", () => {
    for (const seed of [2, 3]) {
      const { world, walls } = start(seed, IDS, cold);
      const records = openFlows(world, walls, FLOWS);
      const lost = () => {
        const live = walls.filter(isLive);
        const here = records.filter((each) => owner(live, each) !== undefined);
        return here.filter((each) => !owner(live, each).kernel.has(keyOf(each))).length;
      };
      const watch = (ms: number) => {
        for (let at = 0; at < ms; at += 5) {
          world.run(5);
          expect([seed, world.now, lost()]).toEqual([seed, world.now, 0]);
        }
      };
      world.crash(walls[1].machine);
      watch(600);
      world.crash(walls[2].machine);
      watch(600);
      expect(records.every((each) => walls[0].owns(each.bucket))).toBe(true);
      for (const wall of walls.slice(1)) wall.restart();
      watch(12_000);
      expect(world.isSettled(IDS)).toBe(true);
      world.run(GONE_MS);
      for (const wall of walls.filter(isCold)) expect([seed, foreign(wall)]).toEqual([seed, 0]);
      expect(walls.map(({ sync }) => sync.health(world.now).flows)).toEqual(IDS.map(() => FLOWS));
    }
  }, 60_000);

  test("a drain and a return leave no gap, lose no flow, and are told of as no end", () => {
    const { world, walls } = start(4, IDS, cold);
    const records = openFlows(world, walls, FLOWS);
    const { machine } = walls[1];
    world.watchGaps();
    for (let round = 0; round < 2; round++) {
      machine.node?.drain();
      machine.said.length = 0;
      expect(world.runUntil(3000, () => machine.said.includes("drained"))).not.toBeNull();
      const heirs = [walls[0], walls[2]];
      expect(records.every((each) => owner(heirs, each).kernel.has(keyOf(each)))).toBe(true);
      // Also where it comes back while its flows are on their way out.
      world.run(round === 0 ? GONE_MS : UNWANTED_MS - 100);
      if (round === 0 && isCold(walls[1])) expect(walls[1].kernel.size).toBe(0);
      machine.node?.join();
      expect(world.runUntil(15_000, () => world.isSettled(IDS))).not.toBeNull();
    }
    world.run(GONE_MS + 5000);
    expect(world.gapMs).toBe(0);
    for (const { sync } of walls) {
      expect(sync.health(world.now).flows).toBe(FLOWS);
      expect(sync.health(world.now).counters.removed).toBe(0);
    }
  });
});

describe("a cold node", () => {
  test("reads its kernel's table without taking what is kept out of it for ended", () => {
    const { world, walls } = start(5, IDS, IDS);
    openFlows(world, walls, FLOWS);
    for (const wall of walls) wall.loseEvents();
    world.run(3000);
    for (const wall of walls) {
      expect(wall.sync.health(world.now).flows).toBe(FLOWS);
      expect(wall.sync.health(world.now).counters).toMatchObject({ missed: 0, removed: 0 });
    }
  });

  test("finds flows of others in its kernel when it starts again, and lets them go", () => {
    const { world, walls } = start(6, IDS, IDS);
    const records = openFlows(world, walls, FLOWS);
    world.crash(walls[1].machine);
    world.run(1000);
    // As after kill -9: the kernel has what the process had put there, and more.
    const left = [...records, ...Array.from({ length: 20 }, (_, at) => flow(5000 + at, at))];
    walls[1].restart(left);
    expect(world.runUntil(15_000, () => world.isSettled(IDS))).not.toBeNull();
    world.run(GONE_MS + 3000);
    expect(foreign(walls[1])).toBe(0);
    const own = records.filter(({ bucket }) => walls[1].owns(bucket));
    expect(own.every((each) => walls[1].kernel.has(keyOf(each)))).toBe(true);
    expect(walls[0].sync.health(world.now).flows).toBe(FLOWS);
  });

  test("hears the end of a flow that its kernel never had", () => {
    const { world, walls } = start(7, [1, 2], [1, 2]);
    const [record] = openFlows(world, walls, 1);
    const heir = walls.find((wall) => !wall.owns(record.bucket)) as Firewall;
    const ops: string[] = [];
    heir.onChange = (op) => ops.push(op);
    owner(walls, record).ends(record);
    world.run(100);
    expect(walls.map(({ sync }) => sync.health(world.now).flows)).toEqual([0, 0]);
    expect(ops).toEqual([]);
  });

  test("a flow of a bucket that comes is as it was told last", () => {
    const { world, walls } = start(8, [1, 2], [1, 2]);
    const [record] = openFlows(world, walls, 1);
    const carrier = owner(walls, record);
    carrier.opens({ ...record, mark: 77 } as Flow);
    world.run(700);
    world.crash(carrier.machine);
    world.run(700);
    const [heir] = walls.filter(isLive);
    expect(heir.kernel.get(keyOf(record))).toMatchObject({ mark: 77 });
    expect(hasBucket(heir.machine.owned, record.bucket % BUCKETS)).toBe(true);
  });
});
