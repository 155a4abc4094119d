/**
 * A node that dies: its range is taken over, nobody else notices, and it comes back to an equal
 * share.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { INSIDE, OUTSIDE } from "../../src/demo/topology.js";
import {
  atRest,
  ECHO_PORT,
  Far,
  HTTP_PORT,
  portsInto,
  sleep,
  startNodes,
  TCP,
  TIMING,
  takenOver,
  UDP,
} from "../fixture/cluster.js";
import { FrameCount } from "../fixture/frames.js";
import { rootOnly } from "../fixture/netns.js";

const HERE = { host: OUTSIDE.server4, localAddress: INSIDE.clients4[0] };
const VICTIM = 2;
const SURVIVORS = [1, 3];

rootOnly("SIGKILL", () => {
  let lab: Lab;
  let atServer: FrameCount;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab);
    await Far.serve(lab);
    await atRest(lab);
    atServer = new FrameCount(lab, "server", { udp: `udp dport ${ECHO_PORT}` });
  });
  afterAll(() => lab?.close());

  /** Long connections through each node but the victim. */
  async function streams(): Promise<Far[]> {
    const ranges = await Promise.all(SURVIVORS.map((id) => lab.status(id)));
    return ranges.flatMap(({ range }) =>
      portsInto(range, 2, { protocol: TCP, port: HTTP_PORT }).map(
        (localPort) => new Far(lab, "client", "ticks", { ...HERE, localPort }),
      ),
    );
  }

  test("its range is taken over, the others' connections run on, the rejoin is equal", async () => {
    const running = await streams();
    const { range, epoch, incarnation } = await lab.status(VICTIM);
    const node = lab.node(VICTIM);
    await sleep(500);
    node.kill("SIGKILL");
    await node.ended;
    const takeoverMs = await takenOver(lab, SURVIVORS);
    console.info(
      `taken over ${Math.round(takeoverMs)} ms after the end, ${TIMING.failureMs} ms due`,
    );

    const localPorts = portsInto(range, 20, { protocol: UDP, port: ECHO_PORT });
    const sent = { ...HERE, localPorts, everyMs: 20, rounds: 2 };
    expect(await new Far(lab, "client", "udp", sent).message()).toMatchObject({ answered: 40 });
    const frames = atServer.read("udp");
    expect(frames[VICTIM - 1]).toBe(0);
    expect(frames.reduce((sum, count) => sum + count, 0)).toBe(40);

    startNodes(lab, [VICTIM]);
    console.info(`at rest ${Math.round(await atRest(lab))} ms after the start`);
    const again = await lab.status(VICTIM);
    expect(again.range).toEqual(range);
    expect(again.incarnation).not.toBe(incarnation);
    expect(again.epoch).toBeGreaterThan(epoch);
    // Ranges of node 1 and 3 have grown and shrunk: what they always owned was never interrupted.
    for (const stream of running) {
      const { ticks, inOrder, failure } = await stream.stop();
      expect({ inOrder, failure }).toEqual({ inOrder: true, failure: "" });
      expect(ticks).toBeGreaterThan(50);
    }
  });

  test("a start after kill -9 leaves the same rules once, and the stop none", async () => {
    const rules = () => {
      const text = lab.exec("node2", ["nft", "list", "ruleset"]);
      // What was counted and leased differs, the rules do not.
      return text.replace(/packets \d+ bytes \d+/g, "").replace(/elements = \{[^}]*\}/g, "");
    };
    const addresses = () => lab.exec("node2", ["ip", "-brief", "address"]);
    const before = [rules(), addresses()];
    const node = lab.node(VICTIM);
    node.kill("SIGKILL");
    await node.ended;
    expect(rules()).toContain("queue");
    startNodes(lab, [VICTIM]);
    await atRest(lab);
    expect([rules(), addresses()]).toEqual(before);
    lab.node(VICTIM).kill("SIGTERM");
    expect(await lab.node(VICTIM).ended).toEqual({ code: 0, signal: null });
    expect(rules()).not.toContain("shardwall");
    expect(addresses()).not.toContain("192.168.0.5");
  });
});
