import { expect, test } from "vitest";
import { accepts, REASON_COUNT, REASONS, Reason } from "../../src/state/reason.js";

test("the table stands in the order of the indices, name by name", () => {
  const names = Object.entries(Reason)
    .sort(([, a], [, b]) => a - b)
    .map(([key]) => key.toLowerCase().replaceAll("_", "-"));
  expect(REASONS.map((row) => row.name)).toEqual(names);
  expect(Object.values(Reason).sort((a, b) => a - b)).toEqual([...Array(REASON_COUNT).keys()]);
});

test("names that say own accept, all others drop", () => {
  for (const [index, { name, verdict }] of REASONS.entries()) {
    expect(`${name} ${verdict}`).toBe(`${name} ${name.startsWith("own-") ? "accept" : "drop"}`);
    expect(accepts(index)).toBe(verdict === "accept");
  }
  expect(accepts(-1)).toBe(false);
  expect(accepts(REASON_COUNT)).toBe(false);
});
