/** What replication wants of the kernel's table, carried out by the kernel. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { KernelOp } from "../../../src/cluster/flows/output.js";
import { type Expectation, type Flow, inverse } from "../../../src/cluster/flows/record.js";
import { JsonLines } from "../../fixture/lines.js";
import { fixture, Namespace, rootOnly } from "../../fixture/netns.js";
import { flow } from "../flows/flows.js";

const BUCKET = 3;
const SCTP = 132;
const CONTROL = flow(1, BUCKET, { helper: "ftp", status: 6, timeoutClass: 40 });
const MASTER = { protocol: 6, ...CONTROL.original };
const DATA_ENDS = { ...CONTROL.original, srcPort: 5000, dstPort: 4242 };
const DATA: Flow = {
  ...{ ...CONTROL, helper: "", master: MASTER },
  ...{ original: DATA_ENDS, reply: inverse(DATA_ENDS) },
};
const ALL = Uint8Array.from([255, 255, 255, 255]);
const EXPECTED: Expectation = {
  ...{ kind: "expectation", protocol: 6, bucket: BUCKET, zone: 0, timeoutClass: 33 },
  original: { ...DATA_ENDS, srcPort: 0 },
  mask: { src: ALL, dst: ALL, srcPort: 0, dstPort: 0xffff },
  ...{ master: MASTER, helper: "ftp", flags: 0, class: 0, fn: "", nat: null },
};

/** As it comes back in JSON, without what shrinks. */
function plain(record: object): object {
  const text = JSON.stringify(record, (_, value) => {
    return value instanceof Uint8Array ? [...value] : value;
  });
  return { ...JSON.parse(text), timeoutClass: 0 };
}

rootOnly("the kernel's side of replication", () => {
  let ns: Namespace;
  let peer: JsonLines;

  beforeEach(() => {
    ns = new Namespace();
    peer = new JsonLines(ns.spawn("node", [fixture("kernel-flows.mjs")]));
  });
  afterEach(() => ns.close());

  async function wish(...wishes: [KernelOp, Flow | Expectation][]) {
    const named = wishes.map(([op, record]) => ({ op, record: plain(record) }));
    const timed = named.map(({ op, record }) => ({ op, record: { ...record, timeoutClass: 40 } }));
    return (await peer.ask({ do: "wish", wishes: timed })).refused;
  }

  const dump = async () => (await peer.ask({ do: "dump" })).records.map(plain);
  const events = async () => {
    const { events } = await peer.ask({ do: "events" });
    return events.map(({ kind, record }: { kind: string; record: Flow }) => {
      return `${kind} ${record.kind} ${record.original.dstPort} bucket ${record.bucket}`;
    });
  };

  test("a master, what it expects and what it expected are there as they were told", async () => {
    const { original, reply } = DATA;
    const other = { ...original, srcPort: 5001 };
    const data = { ...DATA, original: other, reply: { ...reply, dstPort: 5001 } };
    expect(await wish(["create", CONTROL], ["create", data], ["create", EXPECTED])).toEqual({});
    const found = await dump();
    expect(found).toHaveLength(3);
    for (const each of [CONTROL, data, EXPECTED]) expect(found).toContainEqual(plain(each));
    expect(await events()).toEqual([
      "alive flow 443 bucket 3",
      "alive flow 4242 bucket 3",
      "alive flow 443 bucket 3",
      "alive expectation 4242 bucket 3",
    ]);
    expect(await wish(["delete", EXPECTED])).toEqual({});
    expect(await events()).toEqual(["alive flow 443 bucket 3", "gone expectation 4242 bucket 3"]);
    expect(await dump()).toHaveLength(2);
  });

  test("what a master expects goes with it, and its bucket is still known then", async () => {
    await wish(["create", CONTROL], ["create", EXPECTED]);
    await events();
    await wish(["delete", CONTROL]);
    expect((await events()).sort()).toEqual([
      "gone expectation 4242 bucket 3",
      "gone flow 443 bucket 3",
    ]);
  });

  test("a flow whose master has ended is created without, and can be changed", async () => {
    expect(await wish(["create", DATA])).toEqual({});
    expect(await dump()).toEqual([plain({ ...DATA, master: null })]);
    expect(await wish(["update", { ...DATA, mark: 5 }])).toEqual({});
    expect(await dump()).toEqual([plain({ ...DATA, mark: 5, master: null })]);
    await wish(["create", CONTROL], ["delete", DATA], ["create", DATA]);
    expect(await wish(["update", { ...DATA, mark: 6, master: null }])).toEqual({});
    expect(await dump()).toContainEqual(plain({ ...DATA, mark: 6 }));
  });

  test("a flow that the kernel knows more of than was told can be changed", async () => {
    const plainFlow = flow(2, BUCKET, { status: 6 });
    expect(await wish(["create", plainFlow])).toEqual({});
    expect(await wish(["update", { ...plainFlow, status: 0, mark: 7 }])).toEqual({});
    expect(await dump()).toEqual([plain({ ...plainFlow, mark: 7 })]);
  });

  test("an expectation without its master is refused and counted", async () => {
    expect(await wish(["create", EXPECTED])).toEqual({ ENOENT: 1 });
    expect(await dump()).toEqual([]);
  });

  test("a flow whose helper this kernel lacks is created without, and counted", async () => {
    const strange = flow(2, BUCKET, { helper: "no-such", status: 6 });
    expect(await wish(["create", strange])).toEqual({ EOPNOTSUPP: 1 });
    expect(await dump()).toEqual([plain({ ...strange, helper: "" })]);
  });

  test("a changed expectation replaces the old one; a helper is prepared", async () => {
    await wish(["create", CONTROL], ["create", EXPECTED]);
    expect(await wish(["update", { ...EXPECTED, flags: 1 }])).toEqual({});
    expect(await dump()).toContainEqual(plain({ ...EXPECTED, flags: 1 }));
    expect(await wish(["arm", CONTROL])).toEqual({});
    expect(await dump()).toContainEqual(plain(CONTROL));
  });

  test("a shift of sequence numbers is there, from the creation on or since a change", async () => {
    const shifts = [100, 0, 0xffff_ffff, 0, 0, 0];
    const other = flow(2, BUCKET, { helper: "ftp", status: 6, shifts });
    await wish(["create", CONTROL], ["create", other]);
    expect(await wish(["update", { ...CONTROL, shifts }])).toEqual({});
    const found = (await dump()) as Flow[];
    // Octets on the wire and in the table, a signed number to the kernel.
    expect(found.map((each) => each.shifts)).toEqual([shifts, shifts]);
  });

  test("no event tells of a shift: an expectation brings it along", async () => {
    const shifts = [100, 0, 0xffff_ffff, 0, 0, 0];
    await wish(["create", CONTROL], ["update", { ...CONTROL, shifts }]);
    await events();
    await wish(["create", EXPECTED]);
    const { events: told } = await peer.ask({ do: "events" });
    expect(told[0].record).toMatchObject({ kind: "flow", shifts: [100, 0, -1, 0, 0, 0] });
    expect(told[1].record).toMatchObject({ kind: "expectation" });
  });

  test("an SCTP association has its state and its verification tags", async () => {
    const vtags = [0xdeadbeef, 0x01020304] as const;
    const association = flow(3, BUCKET, { protocol: SCTP, status: 6, vtags });
    expect(await wish(["create", association])).toEqual({});
    expect(await dump()).toEqual([plain(association)]);
    expect(ns.exec("conntrack", ["-L", "-p", "sctp"])).toMatch(/ESTABLISHED .*\[ASSURED\]/);
    expect(await wish(["update", { ...association, state: "closing", vtags: [1, 2] }])).toEqual({});
    expect(await dump()).toEqual([plain({ ...association, state: "closing", vtags: [1, 2] })]);
  });
});
