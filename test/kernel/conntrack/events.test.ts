/** The event stream, and what happens when it is read too slowly. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { JsonLines } from "../../fixture/lines.js";
import { fixture, Namespace, rootOnly } from "../../fixture/netns.js";

const TINY = 4096;

rootOnly("connection tracking events", () => {
  let ns: Namespace;
  let peer: JsonLines;

  beforeEach(() => {
    ns = new Namespace();
    // Connection tracking of a namespace begins with the first rule that asks for it.
    ns.exec(
      "nft",
      ["-f", "-"],
      "table ip t {\n chain c {\n type filter hook output priority 0;\n ct state new accept\n}\n}",
    );
    peer = new JsonLines(ns.spawn("node", [fixture("conntrack.mjs")]));
  });
  afterEach(() => ns.close());

  const follow = (bufferBytes: number, bufferBytesMax = bufferBytes) =>
    peer.ask({ do: "follow", bufferBytes, bufferBytesMax });

  test("birth, change and death of a flow", async () => {
    await follow(1 << 20);
    ns.exec("ping", ["-c1", "-W2", "127.0.0.1"]);
    await peer.ask({ do: "dump" });
    await peer.ask({ do: "delete" });
    const { changes, lost } = await peer.ask({ do: "events", timeout: 1000 });
    expect(changes.map((line: string) => line.split(/\s+/).slice(0, 3).join(" "))).toEqual([
      "new icmp 1",
      "update icmp 1",
      "destroy icmp 1",
    ]);
    expect(changes[0]).toContain("src=127.0.0.1 dst=127.0.0.1 type=8");
    expect(changes[0]).toContain("[UNREPLIED]");
    expect(changes[1]).not.toContain("[UNREPLIED]");
    expect(lost).toBe(false);
  });

  test("expectations", async () => {
    await follow(1 << 20);
    await peer.ask({ do: "many", count: 1, patch: { helper: "sip" } });
    await peer.ask({ do: "dump" });
    await peer.ask({ do: "expect" });
    await peer.ask({ do: "delete" });
    const { changes } = await peer.ask({ do: "events", timeout: 1000 });
    expect(changes.filter((line: string) => line.includes("expectation"))).toEqual([
      "new expectation sip",
      "destroy expectation sip",
    ]);
  });

  test("a flow that was put into the table is told of, although it ends at once", async () => {
    await peer.ask({ do: "follow", sieve: { waitMs: 10_000, isPlainOnly: false } });
    await peer.ask({ do: "many", count: 1, patch: {} });
    await peer.ask({ do: "dump" });
    await peer.ask({ do: "delete" });
    const { changes } = await peer.ask({ do: "events", timeout: 1000 });
    const told = changes.map((line: string) => line.split(/\s+/).slice(0, 2).join(" "));
    expect(told).toEqual(["new udp", "destroy udp"]);
  });

  test("an eventfd ends the wait for them", async () => {
    await follow(1 << 20);
    expect(await peer.ask({ do: "wake", timeout: 60_000 })).toEqual({ count: 0 });
  }, 10_000);

  test("a stream that is read in time loses nothing", async () => {
    await follow(8 << 20);
    await peer.ask({ do: "many", count: 2000 });
    const { changes, overruns, lost } = await peer.ask({ do: "events" });
    expect(changes).toHaveLength(2000);
    expect([overruns, lost]).toEqual([0, false]);
  });

  test("a full buffer is noticed, doubled up to its bound, and repaired by a dump", async () => {
    const { bufferBytes: first } = await follow(TINY, 4 * TINY);
    const sizes = [first];
    const births = { do: "many", count: 2000 };
    const deaths = { do: "flush", filter: { value: 0x10000, mask: 0xffffffff } };
    const burst = [births, deaths, births, deaths];
    for (const [index, cause] of burst.entries()) {
      await peer.ask(cause);
      const answer = await peer.ask({ do: "events" });
      expect(answer).toMatchObject({ overruns: index + 1, lost: true, malformed: 0 });
      expect(answer.changes.length).toBeLessThan(2000);
      sizes.push(answer.bufferBytes);
      const { lines } = await peer.ask({ do: "dump" });
      expect(lines).toHaveLength(cause === births ? 2000 : 0);
    }
    expect(sizes).toEqual([first, 2 * first, 4 * first, 4 * first, 4 * first]);
    expect((await peer.ask({ do: "events" })).lost).toBe(false);
  });

  test("a loss is told once the stream was read to its end: until then more is lost", async () => {
    await follow(TINY);
    await peer.ask({ do: "many", count: 2000 });
    const steps = [await peer.ask({ do: "step" })];
    expect(steps).toEqual([{ count: 0, lost: false }]);
    while (!steps.at(-1).lost) steps.push(await peer.ask({ do: "step" }));
    const [end, ...before] = steps.slice(1).reverse();
    expect(end).toEqual({ count: 0, lost: true });
    expect(before.length).toBeGreaterThan(0);
    for (const step of before) expect(step).toEqual({ count: expect.any(Number), lost: false });
    for (const { count } of before) expect(count).toBeGreaterThan(0);
    expect(await peer.ask({ do: "step" })).toEqual({ count: 0, lost: false });
  });
});
