/** Flows of the kernel's own table, found by either of their tuples. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { JsonLines } from "../../fixture/lines.js";
import { fixture, Namespace, rootOnly } from "../../fixture/netns.js";

const FLOWS = 100;
const CLIENT = [10, 1, 0, 1];
const SERVER = [10, 2, 0, 1];

/** The reply of UDP flow number `index` of `many`, or its original direction. */
const reply = (index: number) => {
  return { protocol: 17, src: SERVER, dst: CLIENT, srcPort: 53, dstPort: 1000 + index };
};
const original = (index: number) => {
  return { protocol: 17, src: CLIENT, dst: SERVER, srcPort: 1000 + index, dstPort: 53 };
};

rootOnly("a flow is found", () => {
  let ns: Namespace;
  let peer: JsonLines;

  beforeEach(async () => {
    ns = new Namespace();
    peer = new JsonLines(ns.spawn("node", [fixture("conntrack.mjs")]));
    expect(await peer.ask({ do: "many", count: FLOWS })).toEqual({ failed: 0 });
  });
  afterEach(() => ns.close());

  const find = async (...tuples: object[]): Promise<[number, string | null][]> =>
    (await peer.ask({ do: "find", tuples })).found;

  test("by its reply and by its original tuple; a stranger is none", async () => {
    const stranger = { ...reply(1), srcPort: 54 };
    const found = await find(reply(1), stranger, original(2), { ...reply(3), protocol: 6 });
    expect(found).toEqual([
      [0, expect.stringContaining(" sport=1001 dport=53 ")],
      [1, null],
      [2, expect.stringContaining(" sport=1002 dport=53 ")],
      [3, null],
    ]);
  });

  test("in its place, however many are asked for at once", async () => {
    const found = await find(...Array.from({ length: FLOWS + 50 }, (_, index) => reply(index)));
    expect(found).toHaveLength(FLOWS + 50);
    found.forEach(([index, flow], place) => {
      expect(index).toBe(place);
      if (index >= FLOWS) expect(flow).toBeNull();
      else expect(flow).toContain(` sport=${1000 + index} `);
    });
  });
});
