import { expect, test } from "vitest";
import { accepts, REASON_COUNT, REASONS, Reason } from "../../src/state/reason.js";

test.each([
  [Reason.OWN_FLOW, "own-flow"],
  [Reason.OWN_NEW, "own-new"],
  [Reason.OWN_PICKUP, "own-pickup"],
  [Reason.FOREIGN_FLOW, "foreign-flow"],
  [Reason.FOREIGN_NEW, "foreign-new"],
  [Reason.NO_STATE, "no-state"],
  [Reason.LEASE_EXPIRED, "lease-expired"],
  [Reason.MALFORMED, "malformed"],
  [Reason.TRUNCATED, "truncated"],
  [Reason.FRAGMENT, "fragment"],
  [Reason.UNSUPPORTED, "unsupported"],
  [Reason.NOT_CLUSTER, "not-cluster"],
  [Reason.FAULT, "fault"],
  [Reason.OWN_KNOWN, "own-known"],
  [Reason.OWN_EARLY, "own-early"],
])("reason %i is called %s, the last one ends the table", (reason, name) => {
  expect(REASONS[reason]?.name).toBe(name);
  expect(REASON_COUNT).toBe(Reason.OWN_EARLY + 1);
});

test("names that say own accept, all others drop", () => {
  for (const [index, { name, verdict }] of REASONS.entries()) {
    expect(`${name} ${verdict}`).toBe(`${name} ${name.startsWith("own-") ? "accept" : "drop"}`);
    expect(accepts(index)).toBe(verdict === "accept");
  }
  expect(accepts(-1)).toBe(false);
  expect(accepts(REASON_COUNT)).toBe(false);
});
