/** When a worker lets packets gather: only under load, and no longer than that lasts. */
import { expect, test } from "vitest";
import {
  PACE_BATCH_LARGE,
  PACE_BATCH_SMALL,
  PACE_PACKETS_PER_MS,
  PACE_PAUSE_US,
} from "../../../src/config/limits.js";
import { Pace } from "../../../src/packet/capture/pace.js";

/** Batches of `count` packets every `everyMs`, for 20 ms; returns the pauses asked for. */
function pauses(pace: Pace, fromMs: number, count: number, everyMs: number): number[] {
  const found: number[] = [];
  for (let now = fromMs; now < fromMs + 20; now += everyMs) found.push(pace.note(count, now));
  return found;
}

test("at a low rate never, however the packets come", () => {
  const few = PACE_PACKETS_PER_MS - 1;
  expect(new Set(pauses(new Pace(), 5e8, few, 1))).toEqual(new Set([0]));
  expect(new Set(pauses(new Pace(), 5e8, 1, 0.5))).toEqual(new Set([0]));
  expect(new Set(pauses(new Pace(), 5e8, 10 * few, 10))).toEqual(new Set([0]));
});

test("under load from the second millisecond on, while batches are small", () => {
  for (const count of [1, PACE_PACKETS_PER_MS * 2]) {
    const found = pauses(new Pace(), 5e8, count, count / PACE_PACKETS_PER_MS / 2);
    expect(found[0]).toBe(0);
    expect(new Set(found.slice(found.length / 2))).toEqual(new Set([PACE_PAUSE_US]));
  }
});

test("not where the packets wait for the worker anyway, and again once they do not", () => {
  const pace = new Pace();
  expect(pauses(pace, 5e8, 10, 0.5).at(-1)).toBe(PACE_PAUSE_US);
  expect(pauses(pace, 5e8 + 20, PACE_BATCH_LARGE + 1, 0.5).at(-1)).toBe(0);
  expect(pauses(pace, 5e8 + 40, PACE_BATCH_LARGE, 0.5).at(-1)).toBe(0);
  expect(pauses(pace, 5e8 + 60, PACE_BATCH_SMALL - 1, 0.5).at(-1)).toBe(PACE_PAUSE_US);
});

test("after a flood the first quiet wait ends it", () => {
  const pace = new Pace();
  pauses(pace, 5e8, 2 * PACE_PACKETS_PER_MS, 1);
  expect(pace.note(0, 5e8 + 40)).toBe(0);
  expect(pace.note(1, 5e8 + 40.1)).toBe(0);
});

test("the first packet after a long sleep is not taken for a flood", () => {
  const pace = new Pace();
  expect(pace.note(1, 5e8)).toBe(0);
  expect(pace.note(256, 6e8)).toBe(0);
});
