/** What a node claims by plan, from one that serves it: only what it can serve as well. */
import { describe, expect, test } from "vitest";
import { settledWorld } from "./harness.js";

describe("a bucket that is claimed by plan", () => {
  test("has its flows here: what another serves is not claimed without them", () => {
    const world = settledWorld(7, 1);
    world.add(2, {}, { mayClaim: (bucket) => bucket >= 48 });
    world.run(2000);
    expect(world.accepted()).toEqual({ 1: [[0, 47]], 2: [[48, 63]] });
  });

  test("has them as one that serves it has them: a former owner may have told of none", () => {
    const world = settledWorld(9, 1);
    let stated = 3;
    world.add(2, {}, { mayClaim: (_bucket, owner) => owner === stated });
    world.run(2000);
    expect(world.accepted()).toEqual({ 1: [[0, 63]] });
    stated = 1;
    expect(world.runUntil(2000, () => world.isSettled([1, 2]))).not.toBeNull();
  });

  test("has them by an answer that is young: what was said last may be out of date", () => {
    const world = settledWorld(10, 1);
    let answeredMs = Number.NEGATIVE_INFINITY;
    const late = world.add(2, {}, { mayClaim: () => true, answeredMs: () => answeredMs });
    const asked = () => late.ups.flatMap((input) => (input.kind === "ask" ? [input.atMs] : []));
    world.run(2000);
    expect(world.accepted()).toEqual({ 1: [[0, 63]] });
    answeredMs = asked()[0];
    world.run(100);
    expect(world.accepted()).toEqual({ 1: [[0, 63]] });
    answeredMs = (asked().at(-1) as number) - 100; // for two steps, or three
    world.run(2000);
    expect(world.accepted()[2]).toBeDefined();
    expect(world.isSettled([1, 2])).toBe(false);
    answeredMs = Number.POSITIVE_INFINITY;
    expect(world.runUntil(2000, () => world.isSettled([1, 2]))).not.toBeNull();
    const before = asked().length;
    world.run(2000);
    expect(asked().length).toBe(before);
  });
});
