/**
 * One thread of a node stands still while the others live. Nothing may be half alive: the node
 * falls silent, its peers take over, and it joins anew when the thread goes on.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { INSIDE, OUTSIDE } from "../../src/demo/topology.js";
import {
  atRest,
  ECHO_PORT,
  Far,
  portsInto,
  startNodes,
  takenOver,
  UDP,
} from "../fixture/cluster.js";
import { FrameCount } from "../fixture/frames.js";
import { buildFreezer, freeze, threadsNamed } from "../fixture/freeze.js";
import { rootOnly } from "../fixture/netns.js";

const FROZEN = 2;
const SURVIVORS = [1, 3];

rootOnly("a thread that stands still", () => {
  let lab: Lab;
  let atServer: FrameCount;
  let freezer: string;

  beforeAll(async () => {
    lab = Lab.open(3);
    freezer = buildFreezer(lab.directory);
    startNodes(lab, lab.nodes, { dataplane: { queues: 2 } });
    await Far.serve(lab);
    await atRest(lab);
    atServer = new FrameCount(lab, "server", { udp: `udp dport ${ECHO_PORT}` });
  });
  afterAll(() => lab?.close());

  /** Freezes a thread, looks at what the cluster does, releases it and waits for rest. */
  async function frozenWhile(thread: string, look: () => Promise<void>): Promise<void> {
    const { pid } = lab.node(FROZEN);
    const before = await lab.status(FROZEN);
    // The main thread has the process's own id, and no name of its own.
    const ids = thread === "main" ? [pid] : threadsNamed(pid, thread);
    expect(ids).toHaveLength(1);
    const release = await freeze(freezer, ids[0] as number);
    try {
      const ms = await takenOver(lab, SURVIVORS);
      console.info(`${thread}: taken over ${Math.round(ms)} ms later`);
      await look();
      await rangeIsServed(before.range);
    } finally {
      await release();
    }
    await atRest(lab);
    expect((await lab.status(FROZEN)).incarnation).not.toBe(before.incarnation);
  }

  /** Sends into a range: all arrives, by the others. */
  async function rangeIsServed(range: readonly (readonly [number, number])[]): Promise<void> {
    const before = atServer.read("udp");
    const localPorts = portsInto(range, 20, { protocol: UDP, port: ECHO_PORT });
    const far = new Far(lab, "client", "udp", {
      ...{ host: OUTSIDE.server4, localAddress: INSIDE.clients4[0] },
      ...{ localPorts, everyMs: 20, rounds: 1 },
    });
    expect(await far.message()).toMatchObject({ sent: 20, answered: 20, twice: 0 });
    const [first, frozen, third] = atServer.read("udp").map((n, at) => n - (before[at] as number));
    expect(frozen).toBe(0);
    expect((first as number) + (third as number)).toBe(20);
  }

  test.each(["sw-packet-0", "sw-packet-1"])("%s: heartbeats stop, status says why", (thread) =>
    frozenWhile(thread, async () => {
      const status = await lab.status(FROZEN);
      const index = Number(thread.slice(-1));
      expect(status.fit).toContain(`packet worker ${index} stands still`);
      const stalls = status.workers.map(({ stalledMs }) => stalledMs);
      expect(stalls[index]).toBeGreaterThan(stalls[1 - index] as number);
      expect(status.lease.valid).toBe(false);
      expect(status.ownedBuckets).toBe(0);
    }),
  );

  test("sw-control: the lease runs out by itself", () =>
    frozenWhile("sw-control", async () => {
      expect((await lab.status(FROZEN)).lease.valid).toBe(false);
      const leased = ["nft", "list", "set", "ip", "shardwall_lab", "leased"];
      expect(lab.exec(`node${FROZEN}`, leased)).not.toContain("elements");
    }));

  test("the main thread: nobody would answer, repair or stop the node", () =>
    frozenWhile("main", async () => {
      const peers = (await lab.status(1)).peers.map(({ node }) => node);
      expect(peers).toEqual([3]);
    }));
});
