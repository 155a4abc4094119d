/** What a node notices of itself: counters that stay 0 unless the program is wrong. */
import { expect, test } from "vitest";
import { bitmapOf } from "../../src/cluster/ranges/bitmap.js";
import { SelfCheck } from "../../src/cluster/self-check.js";

const SOME = bitmapOf([[0, 3]], 16);
const NONE = bitmapOf([], 16);

test("epochs may stay or rise; one that falls is counted", () => {
  const check = new SelfCheck();
  for (const epoch of [1, 1, 5]) check.onEpoch(epoch);
  expect(check.counters.epochWentBack).toBe(0);
  check.onEpoch(4);
  expect(check.counters.epochWentBack).toBe(1);
});

test("a lease is extended while it lasts, never after", () => {
  const check = new SelfCheck();
  check.onLease(0, 150, SOME);
  check.onLease(150, 300, SOME);
  check.onLease(200, 300, SOME); // another range under the same end
  expect(check.counters.lateRenewal).toBe(0);
  check.onLease(301, 451, SOME);
  expect(check.counters.lateRenewal).toBe(1);
});

test("a lease on nothing, or one that was revoked, may begin again", () => {
  const check = new SelfCheck();
  check.onLease(0, 150, NONE);
  check.onLease(500, 650, SOME);
  check.onRevoke();
  check.onLease(900, 1050, SOME);
  expect(check.counters.lateRenewal).toBe(0);
});

test("what is leased is what is owned", () => {
  const check = new SelfCheck();
  check.onRange([[0, 3]], [[0, 3]]);
  expect(check.counters.leasedNotOwned).toBe(0);
  check.onRange([[0, 3]], [[0, 2]]);
  expect(check.counters.leasedNotOwned).toBe(1);
});
