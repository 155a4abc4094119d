/** The small pure rules of membership, as tables: state, isolation, view. */
import { describe, expect, test } from "vitest";
import type { State } from "../../../src/cluster/frame/kind.js";
import { type Isolation, mayServe } from "../../../src/cluster/membership/isolation.js";
import { type LifeFacts, nextState } from "../../../src/cluster/membership/lifecycle.js";
import { View, viewHash } from "../../../src/cluster/membership/view.js";

const WELL: LifeFacts = {
  isLeaving: false,
  hasListened: true,
  isForeign: false,
  mayServe: true,
  isSynced: true,
  ownsBuckets: true,
};

describe("own state", () => {
  const table: [State, Partial<LifeFacts>, State][] = [
    ["joining", {}, "syncing"],
    ["joining", { hasListened: false }, "joining"],
    ["joining", { mayServe: false }, "joining"],
    ["joining", { isForeign: true }, "joining"],
    ["joining", { isLeaving: true, hasListened: false }, "draining"],
    ["syncing", {}, "active"],
    ["syncing", { isSynced: false }, "syncing"],
    ["syncing", { mayServe: false }, "joining"],
    ["syncing", { isLeaving: true }, "draining"],
    ["active", {}, "active"],
    ["active", { mayServe: false }, "joining"],
    ["active", { isLeaving: true }, "draining"],
    ["active", { isForeign: true, hasListened: false, isSynced: false }, "active"],
    ["draining", { isLeaving: true, ownsBuckets: false }, "draining"],
    ["draining", {}, "active"],
    ["draining", { ownsBuckets: false }, "joining"],
  ];
  test.each(table)("%s with %o becomes %s", (state, facts, next) => {
    expect(nextState(state, { ...WELL, ...facts })).toBe(next);
  });
});

describe("isolation", () => {
  const table: [Isolation, number, boolean, boolean, boolean][] = [
    ["serve", 1, true, false, true],
    ["yield", 1, true, true, false],
    ["yield", 1, false, false, true],
    ["yield", 2, true, false, true],
    ["probe", 1, true, false, false],
    ["probe", 1, true, true, true],
    ["probe", 2, true, false, true],
    ["majority", 2, true, true, false],
    ["majority", 3, true, false, true],
  ];
  test.each(table)("%s, %i in sight, knew peers %s, probe %s: %s", (...row) => {
    const [rule, inSight, knewPeers, probeOk, serves] = row;
    expect(mayServe({ rule, inSight, size: 4, knewPeers, probeOk })).toBe(serves);
  });
});

describe("view", () => {
  const one = { node: 1, incarnation: 10n };
  const two = { node: 2, incarnation: 20n };

  test("the order of members does not matter, ids and incarnations do", () => {
    const view = new View();
    expect(view.change([two, one])).toBe(true);
    expect([view.ids, view.epoch]).toEqual([[1, 2], 1]);
    expect(view.change([one, two])).toBe(false);
    expect(view.change([one, { ...two, incarnation: 21n }])).toBe(true);
    expect(view.hash).not.toBe(viewHash([one, two]));
    expect(view.epoch).toBe(2);
  });

  test("the epoch rises above what was heard, and never falls", () => {
    const view = new View();
    view.hear(40);
    view.hear(3);
    expect(view.epoch).toBe(40);
    view.change([one]);
    expect(view.epoch).toBe(41);
  });
});
