/**
 * A sync link that loses, doubles and delays a fifth of what it is given, all the time: the nodes'
 * tables converge nevertheless, and nothing that waits for repair grows without bound.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { SEND_BUFFER_FRAMES } from "../../src/cluster/limits.js";
import { Lab } from "../../src/demo/lab.js";
import { CABLES, SYNC, syncAddress } from "../../src/demo/topology.js";
import { atRest, sleep, startNodes, takenOver } from "../fixture/cluster.js";
import { JsonLines } from "../fixture/lines.js";
import { fixture, rootOnly } from "../fixture/netns.js";
import { ENDS, mirrorsAgree, REPLICATED_MS, StreamEnd } from "../fixture/streams.js";

const RELAY = "10.0.0.100";
const FAULTS = { loss: 0.2, copy: 0.2, late: 0.2, lateMs: 60 };
const LINKS = [{ interface: CABLES.sync, port: SYNC.port, peers: [RELAY] }];
const IDLE = 1000;
const FIRST_PORT = 30_000;
/** Connections that come and go, and how often. */
const PASSING = 200;
const ROUNDS = 6;

/** What waits at the nodes, the most of any: to be told, to be repaired, to be heard. */
interface Waiting {
  readonly flows: number;
  readonly backlog: number;
  readonly kept: number;
  readonly lag: number;
}

const address = (node: number) => syncAddress(node).split("/")[0] as string;

rootOnly("a sync link that loses, doubles and reorders", () => {
  let lab: Lab;
  let relay: JsonLines;
  let idle: StreamEnd;

  beforeAll(async () => {
    lab = Lab.open(3);
    lab.exec("switch", ["ip", "address", "add", `${RELAY}/24`, "dev", "sync"]);
    const settings = { address: RELAY, port: SYNC.port, nodes: lab.nodes.map(address), ...FAULTS };
    const argv = [process.execPath, fixture("bad-link.mjs"), JSON.stringify(settings)];
    relay = new JsonLines(lab.spawn("switch", argv));
    expect(await relay.ask({})).toMatchObject({ passed: 0 });
    startNodes(lab, lab.nodes, { links: LINKS });
    await StreamEnd.serve(lab);
    await atRest(lab);
  });
  afterAll(() => lab?.close());

  async function waiting(): Promise<Waiting> {
    const reports = [...(await lab.statuses()).values()].flatMap(({ sync }) => sync ?? []);
    const most = (values: number[]) => Math.max(0, ...values);
    return {
      flows: most(reports.map(({ flows }) => flows)),
      backlog: most(reports.map(({ backlog }) => backlog)),
      kept: most(reports.map(({ sendBufferFill }) => sendBufferFill)),
      lag: most(reports.flatMap(({ peers }) => peers.map(({ lag }) => lag))),
    };
  }

  /** Connections that stay open until they are told to end. */
  async function open(first: number, count: number): Promise<StreamEnd> {
    const localPorts = Array.from({ length: count }, (_, index) => first + index);
    const end = new StreamEnd(lab, "client", "idle", { ...ENDS, localPorts });
    expect(await end.next()).toEqual({ open: count });
    return end;
  }

  test("mirrors converge while it is bad, and nothing grows without bound", async () => {
    idle = await open(FIRST_PORT, IDLE);
    const samples: Waiting[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const passing = await open(FIRST_PORT + IDLE + round * PASSING, PASSING);
      samples.push(await waiting());
      await sleep(REPLICATED_MS);
      samples.push(await waiting());
      passing.stop().catch(() => {}); // It ends without a word.
    }
    const peak = (key: keyof Waiting) => Math.max(...samples.map((sample) => sample[key]));
    console.info(
      `at most ${peak("flows")} flows, ${peak("backlog")} to tell,` +
        ` ${peak("kept")} frames kept, ${peak("lag")} frames behind`,
    );
    expect(peak("flows")).toBeGreaterThan(IDLE);
    expect(peak("lag")).toBeLessThan(SEND_BUFFER_FRAMES);
    expect(peak("kept")).toBeLessThanOrEqual(SEND_BUFFER_FRAMES);
    const flows = await mirrorsAgree(lab);
    expect(flows).toHaveLength(IDLE);
    await lab.waitFor("nothing left to tell", async () => {
      const { backlog, lag } = await waiting();
      return backlog === 0 && lag === 0;
    });
  });

  test("what came over it is good for a takeover", async () => {
    lab.node(2).kill("SIGKILL");
    await lab.node(2).ended;
    await takenOver(lab, [1, 3]);
    const { answered, failures } = await idle.say("after");
    expect({ answered, failures }).toEqual({ answered: IDLE, failures: {} });
    startNodes(lab, [2], { links: LINKS });
    await atRest(lab);
    expect(await mirrorsAgree(lab)).toHaveLength(IDLE);
  });

  test("it was bad in each way, and each node noticed", async () => {
    const counts = await relay.ask({});
    console.info(`the link: ${JSON.stringify(counts)}`);
    for (const way of ["lost", "copied", "late"]) expect(counts[way]).toBeGreaterThan(100);
    for (const { transport, sync } of (await lab.statuses()).values()) {
      expect(transport.replayed).toBeGreaterThan(0);
      expect(sync?.peers.some(({ naksSent }) => naksSent > 0)).toBe(true);
    }
  });
});
