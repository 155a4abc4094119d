/**
 * Many connections at once: they outlive one node, then a second one, the return of both, a sync
 * link that loses and doubles a fifth of what it is given, and the restart of all nodes.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { CABLES, portOf, SYNC } from "../../src/demo/topology.js";
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

const IDLE = 300;
const FIRST_PORT = 30_000;

/** What each node says, the next one hears twice at times. */
const DOUBLING = `table netdev doubling {
${[1, 2, 3].map((id) => doublingChain(portOf("sync", id), portOf("sync", (id % 3) + 1))).join("")}}
`;

function doublingChain(from: string, to: string): string {
  return `  chain ${from} {
    type filter hook ingress device "${from}" priority 0;
    numgen random mod 5 == 0 dup to "${to}"
  }
`;
}

/** Each node loses a fifth of what it would hear of the others, or no longer does. */
function lose(lab: Lab, how: "-A" | "-D"): void {
  const heard = ["-i", CABLES.sync, "-p", "udp", "--dport", String(SYNC.port)];
  const aFifth = ["-m", "statistic", "--mode", "random", "--probability", "0.2"];
  for (const id of lab.nodes) {
    lab.exec(`node${id}`, ["iptables", how, "INPUT", ...heard, ...aFifth, "-j", "DROP"]);
  }
}

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
    const localPorts = portsFrom(FIRST_PORT, IDLE);
    idle = new StreamEnd(lab, "client", "idle", { ...ENDS, localPorts });
    expect(await idle.next()).toEqual({ open: IDLE });
    await sleep(REPLICATED_MS);
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
      if (owner === null || port < FIRST_PORT || port >= FIRST_PORT + IDLE) continue;
      counts[owner - 1] = (counts[owner - 1] as number) + 1;
    }
    return counts;
  }

  /** Of each node: the copies it refused, and how often it asked for what it lacks. */
  function heard(): Promise<[copies: number, naks: number][]> {
    const each = lab.nodes.map(async (id): Promise<[number, number]> => {
      const { transport, sync } = await lab.status(id);
      const naks = sync?.peers.map(({ naksSent }) => naksSent) ?? [];
      return [transport.replayed ?? 0, naks.reduce((sum, count) => sum + count, 0)];
    });
    return Promise.all(each);
  }

  test("300 idle ones survive the death of a node, then of a second one", async () => {
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

  test("a sync link that loses a fifth and doubles a fifth: the mirrors converge", async () => {
    const before = await heard();
    lab.exec("switch", ["nft", "-f", "-"], DOUBLING);
    lose(lab, "-A");
    const born = portsFrom(FIRST_PORT + IDLE, IDLE);
    const more = new StreamEnd(lab, "client", "idle", { ...ENDS, localPorts: born });
    expect(await more.next()).toEqual({ open: IDLE });
    await sleep(REPLICATED_MS);
    // The link is as bad as before: repair alone has brought what each node lacked.
    const flows = await mirrorsAgree(lab);
    expect(flows.length).toBeGreaterThanOrEqual(2 * IDLE);
    await lab.waitFor("copies and repairs at each node", async () => {
      const now = await heard();
      return now.every(([copies, naks], index) => {
        const [copiesBefore, naksBefore] = before[index] as [number, number];
        return copies > copiesBefore && naks > naksBefore;
      });
    });
    lose(lab, "-D");
    lab.exec("switch", ["nft", "delete", "table", "netdev", "doubling"]);
    await allAnswer("after the loss");
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
    await allAnswer("all restarted");
  });
});
