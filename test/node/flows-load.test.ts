/**
 * Many connections at once: they outlive one node, then a second one, the return of both, and the
 * restart of all nodes.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { INSIDE } from "../../src/demo/topology.js";
import { bootMs } from "../../src/platform/clock.js";
import { atRest, portsInto, sleep, startNodes, TCP, takenOver } from "../fixture/cluster.js";
import { rootOnly } from "../fixture/netns.js";
import {
  ENDS,
  flowsAt,
  mirrorsAgree,
  PACED,
  PACED_SHA256,
  REPLICATED_MS,
  STREAM_PORT,
  StreamEnd,
} from "../fixture/streams.js";

const IDLE = 10_000;
const PER_CLIENT = IDLE / INSIDE.clients4.length;
const FIRST_PORT = 30_000;

const portsFrom = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => first + index);

rootOnly("many connections", () => {
  let lab: Lab;
  let idle: StreamEnd;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab);
    await StreamEnd.serve(lab);
    await atRest(lab);
    const localPorts = portsFrom(FIRST_PORT, PER_CLIENT);
    const localAddresses = INSIDE.clients4;
    idle = new StreamEnd(lab, "client", "idle", { ...ENDS, localPorts, localAddresses });
    const start = bootMs();
    expect(await idle.next(40_000)).toEqual({ open: IDLE });
    const openMs = Math.round(bootMs() - start);
    // So many at once may cost kernel events, and then take as long as the table is read again.
    await mirrorsAgree(lab);
    const everywhereMs = Math.round(bootMs() - start);
    console.info(`${IDLE} connections open after ${openMs} ms, known to all after ${everywhereMs}`);
  });
  afterAll(() => lab?.close());

  /** Uses each idle connection once. */
  async function allAnswer(when: string): Promise<void> {
    const { stallMs, ...answers } = await idle.say(when);
    console.info(`${when}: ${IDLE} connections answered within ${stallMs} ms`);
    expect(answers).toEqual({ answered: IDLE, failures: {} });
  }

  async function kill(id: number, survivors: readonly number[]): Promise<void> {
    lab.node(id).kill("SIGKILL");
    await lab.node(id).ended;
    await takenOver(lab, survivors);
  }

  /** How many of the idle connections each node carries, in the order of nodes. */
  async function carried(): Promise<number[]> {
    const flows = await flowsAt(lab, 1);
    const counts = lab.nodes.map(() => 0);
    for (const { original, owner } of flows) {
      const port = original.sport ?? 0;
      if (owner === null || port < FIRST_PORT || port >= FIRST_PORT + PER_CLIENT) continue;
      counts[owner - 1] = (counts[owner - 1] as number) + 1;
    }
    return counts;
  }

  test(`${IDLE} idle ones survive the death of a node, then of a second one`, async () => {
    await kill(2, [1, 3]);
    await allAnswer("one node dead");
    await kill(3, [1]);
    await allAnswer("two nodes dead");
    expect(await carried()).toEqual([IDLE, 0, 0]);
  });

  test("the dead get their share back, with the connections in it", async () => {
    startNodes(lab, [2, 3]);
    console.info(`at rest ${Math.round(await atRest(lab))} ms after the start`);
    await allAnswer("all back");
    const counts = await carried();
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(IDLE);
    for (const count of counts) expect(count).toBeGreaterThan(IDLE / 6);
  });

  test("a rolling restart under load breaks no long connection", async () => {
    const churn = new StreamEnd(lab, "client", "churn", { ...ENDS, everyMs: 20 });
    for (const id of lab.nodes) {
      const { range } = await lab.status(id);
      const aim = { protocol: TCP, port: STREAM_PORT, first: 20_000 + 1000 * id };
      const [localPort] = portsInto(range, 1, aim);
      const download = new StreamEnd(lab, "client", "download", { ...ENDS, ...PACED, localPort });
      await download.next();
      await sleep(REPLICATED_MS);
      lab.node(id).kill("SIGTERM");
      expect(await lab.node(id).ended).toEqual({ code: 0, signal: null });
      startNodes(lab, [id]);
      const { stallMs, ...whole } = await download.next();
      expect(whole).toEqual({ bytes: PACED.bytes, failure: "", sha256: PACED_SHA256 });
      console.info(`node ${id} restarted: its download stalled ${stallMs} ms`);
      await atRest(lab);
    }
    const { done, failures } = await churn.stop();
    console.info(`${done} short connections, failures ${JSON.stringify(failures)}`);
    expect(done).toBeGreaterThan(100);
    expect(failures).toEqual({});
    await allAnswer("all restarted");
  });
});
