/** What a helper announces: told before its first packet, in the bucket of its master. */
import { expect, test } from "vitest";
import { type Expectation, type Flow, inverse } from "../../../src/cluster/flows/record.js";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { RECREATE_EXPECTATION_MS } from "../../../src/cluster/limits.js";
import { REPLIED } from "./flows.js";
import { bucketOf, counters, has, open, settled, TOLD_MS } from "./settled.js";

/** A tick, the way, and the receiver's turn. */
const AT_ONCE_MS = 25;

function expectationOf(master: Flow): Expectation {
  const { protocol, bucket, original } = master;
  return {
    ...{ kind: "expectation", protocol, bucket, zone: 0, timeoutClass: 33, helper: "ftp" },
    original: { ...original, srcPort: 0, dstPort: 4242 },
    ...{ mask: original, master: { protocol, ...original } },
    ...{ flags: 0, class: 0, fn: "", nat: null },
  };
}

/** The flow that was expected, in the bucket of its master as the kernel marks it. */
function dataOf(master: Flow): Flow {
  const original = { ...master.original, srcPort: 5000, dstPort: 4242 };
  const { protocol } = master;
  const own = { original, reply: inverse(original), helper: "", status: REPLIED };
  return { ...master, ...own, master: { protocol, ...master.original } };
}

test("an expectation is told at once, behind its young master", () => {
  const world = settled(31, 2);
  const [a, b] = world.boxes;
  const control = open(world, a, 1, { helper: "ftp" });
  const other = open(world, a, 2);
  world.run(10);
  world.alive(a, expectationOf(control));
  world.run(AT_ONCE_MS);
  expect([...b.kernel.keys()]).toEqual([keyOf(control), keyOf(expectationOf(control))]);
  expect(has(b, other)).toBe(false);
});

test("a flow that was expected is told at once, its changes after the window", () => {
  const world = settled(32, 2);
  const [a, b] = world.boxes;
  const control = open(world, a, 1, { helper: "ftp" });
  const data = dataOf(control);
  world.alive(a, { ...data, state: "opening", status: 0 });
  world.run(AT_ONCE_MS);
  expect(b.kernel.get(keyOf(data))).toMatchObject({ state: "opening", master: data.master });
  world.alive(a, data);
  world.run(AT_ONCE_MS);
  expect(b.kernel.get(keyOf(data))).toMatchObject({ state: "opening" });
  world.run(TOLD_MS);
  expect(b.kernel.get(keyOf(data))).toMatchObject({ state: "established" });
});

test("a change that the kernel tells in part takes nothing away", () => {
  const world = settled(33, 2);
  const [a, b] = world.boxes;
  const shifts = [1, 0, 2, 3, 0, 4];
  const data: Flow = { ...dataOf(open(world, a, 1)), shifts, vtags: [7, 8] };
  world.alive(a, data);
  world.run(TOLD_MS);
  world.alive(a, { ...data, state: "none", master: null, shifts: null, vtags: null });
  world.run(TOLD_MS);
  expect(b.kernel.get(keyOf(data))).toEqual(data);
  const { told } = counters(world, a);
  world.alive(a, { ...data, state: "none", master: null, shifts: null, vtags: null, mark: 9 });
  world.run(TOLD_MS);
  expect(b.kernel.get(keyOf(data))).toEqual({ ...data, mark: 9 });
  expect(counters(world, a).told).toBe(told + 1);
});

test("who let a flow in as new before it heard that it was expected gives it up", () => {
  const world = settled(34, 2);
  const [a, b] = world.boxes;
  const data = dataOf(open(world, a, 1));
  world.alive(b, { ...data, bucket: bucketOf(b), master: null });
  world.run(5);
  world.alive(a, data);
  world.run(AT_ONCE_MS);
  expect(b.kernel.get(keyOf(data))).toMatchObject({ bucket: data.bucket });
  world.run(1000);
  expect(counters(world, b).told).toBe(0);
  expect(world.differences()).toEqual([]);
});

test("an expectation that only the packet of another node used up comes back", () => {
  const world = settled(35, 2);
  const [a, b] = world.boxes;
  const control = open(world, a, 1);
  const expectation = expectationOf(control);
  world.alive(a, expectation);
  world.run(TOLD_MS);
  world.gone(b, expectation);
  world.run(RECREATE_EXPECTATION_MS - 50);
  expect(b.kernel.has(keyOf(expectation))).toBe(false);
  world.run(100);
  expect(b.kernel.has(keyOf(expectation))).toBe(true);
  world.gone(a, expectation);
  world.gone(b, expectation);
  world.run(RECREATE_EXPECTATION_MS * 2);
  expect(b.kernel.has(keyOf(expectation))).toBe(false);
});

test("a newcomer gets masters before what they expect, also when they changed later", () => {
  const world = settled(36, 1);
  const [a] = world.boxes;
  const control = open(world, a, 1, { helper: "ftp" });
  const [data, expectation] = [dataOf(control), expectationOf(control)];
  world.alive(a, data);
  world.alive(a, expectation);
  world.run(TOLD_MS);
  world.alive(a, { ...control, mark: 5 });
  world.run(TOLD_MS);
  const b = world.add(2);
  world.run(1000);
  expect([...b.kernel.keys()]).toEqual([control, data, expectation].map(keyOf));
});

test("a node that takes a bucket prepares the helpers in it, and only those", () => {
  const world = settled(37, 2);
  const [a, b] = world.boxes;
  const control = open(world, a, 1, { helper: "ftp" });
  open(world, a, 2);
  world.run(TOLD_MS);
  const armed: string[] = [];
  b.onArm = (record) => armed.push(keyOf(record));
  world.crash(a);
  world.run(1000);
  expect(b.owned.has(control.bucket)).toBe(true);
  expect(armed).toEqual([keyOf(control)]);
});
