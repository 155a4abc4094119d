/**
 * First replies are held until the peers have the flow: no connection that its client saw
 * established is lost with its node, however young it is.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { HoldReport } from "../../src/api/report.js";
import { Lab } from "../../src/demo/lab.js";
import { atRest, shardwall, sleep, startNodes, takenOver } from "../fixture/cluster.js";
import { buildFreezer, freeze, threadsNamed } from "../fixture/freeze.js";
import { rootOnly } from "../fixture/netns.js";
import { ENDS, StreamEnd } from "../fixture/streams.js";

const HOLD_MS = 400;
/** A window so long that nothing is told before its node dies, unless somebody waits for it. */
const WINDOW_MS = 5000;
/** Connections rest that long before they are used: most are idle when their node dies. */
const CHURN = { ...ENDS, everyMs: 10, restMs: 300 };

rootOnly("first replies that are held", () => {
  let lab: Lab;
  let freezer: string;

  beforeAll(async () => {
    lab = Lab.open(3);
    freezer = buildFreezer(lab.directory);
    startNodes(lab, lab.nodes, { sync: { holdMs: HOLD_MS, windowMs: WINDOW_MS } });
    await StreamEnd.serve(lab);
    await atRest(lab);
  });
  afterAll(() => lab?.close());

  async function holdOf(id: number): Promise<HoldReport> {
    const { hold } = await lab.status(id);
    if (hold === null) throw new Error(`node ${id} holds nothing`);
    return hold;
  }

  const sum = async (ids: readonly number[], name: "acknowledged" | "late" | "asked") => {
    const reports = await Promise.all(ids.map(holdOf));
    return reports.reduce((total, hold) => total + hold[name], 0);
  };

  test("L2: connections are opened all the time while a node is killed: none is lost", async () => {
    const churn = new StreamEnd(lab, "client", "churn", CHURN);
    await sleep(1500);
    lab.node(2).kill("SIGKILL");
    await takenOver(lab, [1, 3]);
    await sleep(1000);
    const { done, failures } = await churn.stop();
    expect(failures).toEqual({});
    expect(done).toBeGreaterThan(100);
    expect(await sum([1, 3], "acknowledged")).toBeGreaterThan(done / 4);
    console.info(`${done} connections; node 1: ${JSON.stringify(await holdOf(1))}`);
    startNodes(lab, [2], { sync: { holdMs: HOLD_MS, windowMs: WINDOW_MS } });
    await atRest(lab);
  });

  test("UDP replies are held as well, once", async () => {
    const before = await sum(lab.nodes, "asked");
    const udp = new StreamEnd(lab, "client", "udp", { ...ENDS, localPort: 25_000, everyMs: 5 });
    await sleep(800);
    const { goesOn } = await udp.stop();
    expect(goesOn).toBe(true);
    const asked = (await sum(lab.nodes, "asked")) - before;
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThan(10);
  });

  test("a peer whose replication stands still is cut off; connections go on", async () => {
    const [thread] = threadsNamed(lab.node(3).pid, "sw-sync");
    const release = await freeze(freezer, thread as number);
    const churn = new StreamEnd(lab, "client", "churn", CHURN);
    try {
      for (const id of [1, 2]) {
        await lab.waitFor(`node ${id} that has cut node 3 off`, async () => {
          return (await holdOf(id)).cutOff.some(({ node }) => node === 3);
        });
      }
      const late = await sum([1, 2], "late");
      expect(late).toBeGreaterThan(0);
      expect(shardwall(lab, 1, "status")).toMatch(/^cut off +node 3 for /m);
      await sleep(1000);
      expect(await sum([1, 2], "late")).toBe(late);
    } finally {
      await release();
    }
    const { done, failures } = await churn.stop();
    expect(failures).toEqual({});
    expect(done).toBeGreaterThan(50);
    await lab.waitFor("node 3 that is waited for again", async () => {
      const reports = await Promise.all([1, 2].map(holdOf));
      return reports.every(({ cutOff }) => cutOff.length === 0);
    });
    expect(shardwall(lab, 1, "events")).toMatch(/ cutOff .*[\s\S]* caughtUp /);
  });
});
