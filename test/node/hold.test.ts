/**
 * First replies are held until the peers have the flow: no connection that its client saw
 * established is lost with its node, however young it is.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { HoldReport } from "../../src/api/report.js";
import { Lab } from "../../src/demo/lab.js";
import type { Overrides } from "../../src/demo/node-process.js";
import { atRest, shardwall, sleep, startNodes, takenOver } from "../fixture/cluster.js";
import { buildFreezer, freeze, threadsNamed } from "../fixture/freeze.js";
import { rootOnly } from "../fixture/netns.js";
import { ENDS, StreamEnd } from "../fixture/streams.js";

/** Long enough for a busy machine; only a peer that does not answer is waited for so long. */
const HOLD_MS = 2000;
/** A window so long that nothing is told before its node dies, unless somebody waits for it. */
const WINDOW_MS = 5000;
const HOLD = { sync: { holdMs: HOLD_MS, windowMs: WINDOW_MS } };
const NAT = { nat: [{ out: "eth2", source: "192.168.0.0/24", ports: "10000-49999" }] };
/** Connections rest that long before they are used: most are idle when their node dies. */
const CHURN = { ...ENDS, everyMs: 10, restMs: 300 };

async function holdOf(lab: Lab, id: number): Promise<HoldReport> {
  const { hold } = await lab.status(id);
  if (hold === null) throw new Error(`node ${id} holds nothing`);
  return hold;
}

type Counter = "acknowledged" | "late" | "asked";

async function sumOf(lab: Lab, ids: readonly number[], name: Counter): Promise<number> {
  const reports = await Promise.all(ids.map((id) => holdOf(lab, id)));
  return reports.reduce((total, hold) => total + hold[name], 0);
}

/** Kills a node while connections are opened all the time; starts it again. */
async function noneIsLost(lab: Lab, settings: Overrides): Promise<void> {
  const churn = new StreamEnd(lab, "client", "churn", CHURN);
  await sleep(1500);
  lab.node(2).kill("SIGKILL");
  await takenOver(lab, [1, 3]);
  await sleep(1000);
  const { done, failures } = await churn.stop();
  expect(failures).toEqual({});
  expect(done).toBeGreaterThan(100);
  console.info(`${done} connections; node 1: ${JSON.stringify(await holdOf(lab, 1))}`);
  expect(await sumOf(lab, [1, 3], "acknowledged")).toBeGreaterThan(done / 4);
  startNodes(lab, [2], settings);
  await atRest(lab);
}

rootOnly("first replies that are held", () => {
  let lab: Lab;
  let freezer: string;

  beforeAll(async () => {
    lab = Lab.open(3);
    freezer = buildFreezer(lab.directory);
    startNodes(lab, lab.nodes, HOLD);
    await StreamEnd.serve(lab);
    await atRest(lab);
  });
  afterAll(() => lab?.close());

  const sum = (ids: readonly number[], name: Counter) => sumOf(lab, ids, name);

  test("L2: connections are opened all the time while a node is killed: none is lost", () =>
    noneIsLost(lab, HOLD));

  test("UDP replies are held as well, once", async () => {
    const before = await sum(lab.nodes, "asked");
    const udp = new StreamEnd(lab, "client", "udp", { ...ENDS, localPort: 25_000, everyMs: 5 });
    await sleep(800);
    const { goesOn, sent } = await udp.stop();
    expect(goesOn).toBe(true);
    const asked = (await sum(lab.nodes, "asked")) - before;
    expect(asked).toBeGreaterThan(0);
    // Those of the time until the peers have it; UDP is not assured before seconds are over.
    expect(asked).toBeLessThan(sent / 2);
  });

  test("a peer whose replication stands still is cut off; connections go on", async () => {
    const [thread] = threadsNamed(lab.node(3).pid, "sw-sync");
    const release = await freeze(freezer, thread as number);
    const churn = new StreamEnd(lab, "client", "churn", CHURN);
    try {
      for (const id of [1, 2]) {
        await lab.waitFor(`node ${id} that has cut node 3 off`, async () => {
          return (await holdOf(lab, id)).cutOff.some(({ node }) => node === 3);
        });
      }
      expect(await sum([1, 2], "late")).toBeGreaterThan(0);
      expect(shardwall(lab, 1, "status")).toMatch(/^cut off +node 3 for /m);
      const before = await sum([1, 2], "acknowledged");
      await lab.waitFor("replies that wait for the other peer only", async () => {
        return (await sum([1, 2], "acknowledged")) > before + 20;
      });
    } finally {
      await release();
    }
    const { done, failures } = await churn.stop();
    expect(failures).toEqual({});
    expect(done).toBeGreaterThan(50);
    await lab.waitFor("node 3 that is waited for again", async () => {
      const reports = await Promise.all([1, 2].map((id) => holdOf(lab, id)));
      return reports.every(({ cutOff }) => cutOff.length === 0);
    });
    expect(shardwall(lab, 1, "events")).toMatch(/ cutOff .*[\s\S]* caughtUp /);
  });
});

rootOnly("first replies of translated connections", () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab, lab.nodes, { ...HOLD, ...NAT });
    await StreamEnd.serve(lab);
    await atRest(lab);
  });
  afterAll(() => lab?.close());

  test("the reply's tuple is not the inverse: it is found, and none is lost", () =>
    noneIsLost(lab, { ...HOLD, ...NAT }));
});
