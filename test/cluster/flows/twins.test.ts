/** One connection that two nodes let in, each in its direction: one bucket is in all kernels. */
import { describe, expect, test } from "vitest";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { goesBefore, twinKeyOf } from "../../../src/cluster/flows/twins.js";
import { flow } from "./flows.js";
import { settled, TOLD_MS } from "./settled.js";
import type { FlowWorld } from "./world.js";

const UDP = { protocol: 17, state: "none" } as const;
const turned = (of: ReturnType<typeof flow>, bucket: number) => {
  return { ...of, bucket, original: of.reply, reply: of.original };
};

/** Buckets of a connection in each kernel, under the key of either direction. */
function bucketsOf(world: FlowWorld, key: string, twinKey: string) {
  return world.boxes.map(({ kernel }) => (kernel.get(key) ?? kernel.get(twinKey))?.bucket);
}

describe.each([
  ["the client's", 0],
  ["the server's", 1],
])("twins, of which %s is told first", (_, first) => {
  test.each([0, 60])("the other %i ms later", (ms) => {
    const world = settled(41, 3, { isOpenerHashed: true });
    const [a, b] = world.boxes;
    const request = flow(1, [...a.owned][0] as number, UDP);
    const answer = turned(request, [...b.owned][0] as number);
    const births = [() => world.alive(a, request), () => world.alive(b, answer)];
    births[first]?.();
    world.run(ms);
    births[1 - first]?.();
    world.run(3 * TOLD_MS);
    const keys = [keyOf(request), keyOf(answer)] as const;
    const winner = goesBefore(...keys) ? request : answer;
    expect(bucketsOf(world, ...keys)).toEqual(world.boxes.map(() => winner.bucket));
  });
});

test("only what nobody translates, and what can begin with an answer, has a twin", () => {
  const udp = flow(1, 1, UDP);
  const twin = turned(udp, 2);
  expect(twinKeyOf(udp)).toBe(keyOf(twin));
  expect(twinKeyOf(twin)).toBe(keyOf(udp));
  expect(twinKeyOf({ ...udp, protocol: 1 })).toBeNull();
  expect(twinKeyOf({ ...udp, reply: { ...udp.reply, dstPort: 1 } })).toBeNull();
});
