/**
 * A node that is cut off while its peers tell more than they keep for repair: what it missed cannot
 * be asked for frame by frame any more, so it fetches their tables, and is right again.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { SEND_BUFFER_FRAMES } from "../../src/cluster/limits.js";
import { Lab } from "../../src/demo/lab.js";
import { INSIDE, portOf } from "../../src/demo/topology.js";
import { atRest, sleep, startNodes, takenOver } from "../fixture/cluster.js";
import { rootOnly } from "../fixture/netns.js";
import { ENDS, kernelFlows, mirrorsAgree, REPLICATED_MS, StreamEnd } from "../fixture/streams.js";

const CUT_OFF = 2;
const OTHERS = [1, 3];
/** Enough that each node has something to tell in most ticks of its sync thread. */
const FLOWS_PER_SECOND = 800;
const TOLD_MS_MAX = 150_000;
const REPAIRED_MS_MAX = 60_000;
const GONE_MS_MAX = 60_000;
/** Of UDP, instead of 30, so that what comes and goes is soon gone. */
const TIMEOUT_S = 5;
const TEST_MS_MAX = TOLD_MS_MAX + REPAIRED_MS_MAX + GONE_MS_MAX + 60_000;
/** Connections that stay, from before the cut and from the time of it, and their first ports. */
const IDLE = 100;
/** All nodes have much to do for long: one that gets no processor meanwhile must not begin anew. */
const TIMING = { heartbeatMs: 50, failureMs: 5000 };
const BEFORE = 45_000;
const MEANWHILE = 45_100;

rootOnly("a gap longer than the send buffer", () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = Lab.open(3);
    for (const id of lab.nodes) {
      lab.exec(`node${id}`, [
        "sysctl",
        "-qw",
        `net.netfilter.nf_conntrack_udp_timeout=${TIMEOUT_S}`,
      ]);
    }
    // Two halves that both track one connection would each know half of it.
    const membership = { isolation: "majority", size: 3 };
    startNodes(lab, lab.nodes, { membership, timing: TIMING });
    await StreamEnd.serve(lab);
    await atRest(lab);
  });
  afterAll(() => lab?.close());

  const setSyncCable = (state: "up" | "down") =>
    lab.exec("switch", ["ip", "link", "set", portOf("sync", CUT_OFF), state]);

  const sequence = async (id: number) => (await lab.status(id)).sync?.sequence ?? 0;

  /** Times that the node which was cut off lost track of a peer. */
  async function outOfSync(peer: number): Promise<number> {
    const { sync } = await lab.status(CUT_OFF);
    return sync?.peers.find(({ node }) => node === peer)?.outOfSync ?? 0;
  }

  async function openIdle(first: number): Promise<StreamEnd> {
    const localPorts = Array.from({ length: IDLE }, (_, index) => first + index);
    const idle = new StreamEnd(lab, "client", "idle", { ...ENDS, localPorts });
    expect(await idle.next()).toEqual({ open: IDLE });
    return idle;
  }

  const incarnations = async () =>
    [...(await lab.statuses()).values()].map(({ incarnation }) => incarnation);

  /** Flows come and go until both others have told more than they keep. */
  async function tellTooMuch(): Promise<void> {
    const begin = await Promise.all(OTHERS.map(sequence));
    const settings = { ...ENDS, localAddresses: INSIDE.clients4, perSecond: FLOWS_PER_SECOND };
    const spray = new StreamEnd(lab, "client", "spray", settings);
    const isTold = async () => {
      const now = await Promise.all(OTHERS.map(sequence));
      return now.every((next, at) => (next - (begin[at] ?? 0)) >>> 0 > SEND_BUFFER_FRAMES);
    };
    await lab.waitFor("more frames than are kept", isTold, TOLD_MS_MAX);
    const { sent, answered } = await spray.stop();
    expect(answered).toBeGreaterThan(sent * 0.9);
  }

  /** Until then they run out in one kernel a little earlier than in another. */
  function sprayedAreGone(): Promise<number> {
    const isGone = (id: number) => !kernelFlows(lab, id).some((flow) => / dport=9000 /.test(flow));
    return lab.waitFor("end of what came and went", () => lab.nodes.every(isGone), GONE_MS_MAX);
  }

  test(
    "is repaired by a resync, and no connection notices",
    async () => {
      const before = await openIdle(BEFORE);
      await sleep(REPLICATED_MS);
      const born = await incarnations();
      expect(await Promise.all(OTHERS.map(outOfSync))).toEqual([0, 0]);

      setSyncCable("down");
      await takenOver(lab, OTHERS);
      const meanwhile = await openIdle(MEANWHILE);
      await tellTooMuch();
      setSyncCable("up");
      await atRest(lab, lab.nodes, REPAIRED_MS_MAX);
      for (const peer of OTHERS) expect(await outOfSync(peer)).toBeGreaterThan(0);

      await sprayedAreGone();
      const flows = await mirrorsAgree(lab);
      expect(flows.filter((flow) => / sport=45[01]\d\d /.test(flow))).toHaveLength(2 * IDLE);
      expect(await incarnations()).toEqual(born);
      for (const idle of [before, meanwhile])
        expect(await idle.say("after the gap")).toMatchObject({ answered: IDLE });
    },
    TEST_MS_MAX,
  );
});
