/**
 * A node that is stopped (SIGSTOP) and goes on later. Its process knows nothing of the time
 * between, and its kernel queue is full of packets that its peers have handled meanwhile: none may
 * get out.
 *
 *     |-- lease --|
 *     STOP ......... peers own the range ......... traffic ends, CONT ... joins anew
 *     packets wait in the queue ----------------------------> dropped, counted
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { INSIDE, OUTSIDE } from "../../src/demo/topology.js";
import {
  atRest,
  ECHO_PORT,
  Far,
  portsInto,
  sleep,
  startNodes,
  TIMING,
  takenOver,
  UDP,
  verdicts,
} from "../fixture/cluster.js";
import { FrameCount } from "../fixture/frames.js";
import { rootOnly } from "../fixture/netns.js";

const PAUSED = 2;
const SURVIVORS = [1, 3];

/**
 * With the workers asked about every packet, those of the pause wait in the queue. With `offload`
 * the kernel goes on alone until the lease in it ends, and then drops.
 */
for (const offload of ["none", "established"] as const) {
  rootOnly(`SIGSTOP, offload ${offload}`, () => pauses(offload));
}

function pauses(offload: "none" | "established"): void {
  let lab: Lab;
  let server: Far;
  let atServer: FrameCount;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab, lab.nodes, { dataplane: { offload } });
    server = await Far.serve(lab);
    await atRest(lab);
    atServer = new FrameCount(lab, "server", { udp: `udp dport ${ECHO_PORT}` });
  });
  afterAll(() => lab?.close());

  const forwarded = () => atServer.read("udp")[PAUSED - 1] as number;
  /** Packets that wait for a verdict in the paused node's kernel. */
  const waiting = () => {
    const queues = lab.exec(`node${PAUSED}`, ["cat", "/proc/net/netfilter/nfnetlink_queue"]);
    return Number(queues.trim().split(/\s+/)[2]);
  };

  test("after its lease the paused node forwards nothing, nor from its queue later", async () => {
    const before = await lab.status(PAUSED);
    const localPorts = portsInto(before.range, 20, { protocol: UDP, port: ECHO_PORT });
    const far = new Far(lab, "client", "udp", {
      ...{ host: OUTSIDE.server4, localAddress: INSIDE.clients4[0] },
      ...{ localPorts, everyMs: 20 },
    });
    await lab.waitFor("traffic through the node", () => forwarded() > 100);

    const node = lab.node(PAUSED);
    node.kill("SIGSTOP");
    await sleep(TIMING.failureMs);
    const atLeaseEnd = forwarded();
    const [others] = [atServer.read("udp")];
    const takeoverMs = await takenOver(lab, SURVIVORS);
    console.info(`taken over ${Math.round(TIMING.failureMs + takeoverMs)} ms after SIGSTOP`);
    await sleep(500);
    if (offload === "none") expect(waiting()).toBeGreaterThan(100);
    for (const id of SURVIVORS) {
      expect(atServer.read("udp")[id - 1]).toBeGreaterThan(others[id - 1] as number);
    }
    // Nothing new for the node from here on: whatever it forwards later is from its queue.
    const { sent, answered, twice } = await far.stop();
    const stale = waiting();
    expect(forwarded()).toBe(atLeaseEnd);

    node.kill("SIGCONT");
    await atRest(lab);
    expect(waiting()).toBe(0);
    expect(forwarded()).toBe(atLeaseEnd);
    const after = await lab.status(PAUSED);
    expect(after.incarnation).not.toBe(before.incarnation);
    expect(after.packets.byReason["lease-expired"]).toBeGreaterThanOrEqual(stale);
    expect(verdicts(after)).toBe(after.packets.seen);
    // Answers may be lost when their node stops; no request reached the server twice.
    const arrived = await server.stop();
    expect(arrived.twice + twice).toBe(0);
    expect(arrived.requests).toBeGreaterThanOrEqual(answered);
    console.info(`${sent} sent, ${answered} answered, ${stale} dropped from the stale queue`);
  });

  test("a pause shorter than the lease changes nothing", async () => {
    const before = await lab.status(PAUSED);
    lab.node(PAUSED).kill("SIGSTOP");
    await sleep(TIMING.heartbeatMs);
    lab.node(PAUSED).kill("SIGCONT");
    await sleep(TIMING.failureMs + 200);
    await atRest(lab);
    const { incarnation, epoch, range } = await lab.status(PAUSED);
    expect({ incarnation, epoch, range }).toEqual({
      incarnation: before.incarnation,
      epoch: before.epoch,
      range: before.range,
    });
  });
}
