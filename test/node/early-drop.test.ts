/**
 * A cluster that refuses foreign packets before connection tracking. Its kernels do not see what
 * the others forward, so what a takeover needs has to be kept up without that. The fates of
 * flows.test.ts are suffered with early drop too.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { INSIDE, OUTSIDE } from "../../src/demo/topology.js";
import {
  atRest,
  ECHO_PORT,
  Far,
  portsInto,
  shardwall,
  sleep,
  startNodes,
  TCP,
  takenOver,
  UDP,
} from "../fixture/cluster.js";
import { rootOnly } from "../fixture/netns.js";
import {
  ENDS,
  kernelFlows,
  ownerOf,
  REPLICATED_MS,
  STREAM_PORT,
  StreamEnd,
  sha256OfPaced,
} from "../fixture/streams.js";

const VICTIM = 2;
const OTHERS = [1, 3];
const CLIENT = INSIDE.clients4[0];
/** Far more than a TCP window while the flow is away. */
const LONG = { bytes: 60_000_000, perSecond: 5_000_000 };
const UDP_TIMEOUT_S = 6;
const USER_PORT = 18_080;
/** What an administrator may have: connections to another port are redirected. */
const USER_RULES = `table ip user {
  chain in {
    type nat hook prerouting priority -100; policy accept;
    tcp dport ${USER_PORT} dnat to :${STREAM_PORT}
  }
}`;

rootOnly("early drop", () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab, lab.nodes, { dataplane: { earlyDrop: "tc" } });
    await StreamEnd.serve(lab);
    await atRest(lab);
    for (const id of lab.nodes) {
      for (const [name, seconds] of [
        ["udp_timeout", UDP_TIMEOUT_S],
        ["udp_timeout_stream", UDP_TIMEOUT_S],
        ["tcp_timeout_time_wait", 1],
      ]) {
        lab.exec(`node${id}`, ["sysctl", "-qw", `net.netfilter.nf_conntrack_${name}=${seconds}`]);
      }
    }
  });
  afterAll(() => lab?.close());

  const are = (state: string) =>
    lab.waitFor(`early drop ${state} everywhere`, async () => {
      // A kernel ends what has timed out when it meets it; by itself that may take a minute.
      for (const id of lab.nodes) kernelFlows(lab, id);
      const statuses = [...(await lab.statuses()).values()];
      return statuses.every(({ packets }) => packets.earlyDrop === state);
    });

  test("each request arrives once, and what it refuses is never tracked", async () => {
    await are("on");
    const before = await lab.statuses();
    const localPorts = Array.from({ length: 60 }, (_, at) => 30_000 + at);
    const target = { host: OUTSIDE.server4, localAddress: CLIENT, localPorts };
    const far = new Far(lab, "client", "udp", { ...target, everyMs: 50, rounds: 3 });
    expect(await far.message()).toEqual({ sent: 180, answered: 180, twice: 0, refused: 0 });
    for (const [id, { packets }] of await lab.statuses()) {
      const { earlyForeign } = packets.kernel;
      expect(earlyForeign).toBeGreaterThan(before.get(id)?.packets.kernel.earlyForeign as number);
      expect(packets.byReason["foreign-new"]).toBe(before.get(id)?.packets.byReason["foreign-new"]);
    }
  });

  test("a busy flow's replica does not run out although no packet of it is seen", async () => {
    const [localPort] = portsInto((await lab.status(VICTIM)).range, 1, {
      ...{ protocol: UDP, port: ECHO_PORT, first: 33_000 },
    });
    const target = { host: OUTSIDE.server4, localAddress: CLIENT, localPorts: [localPort] };
    const far = new Far(lab, "client", "udp", { ...target, everyMs: 100 });
    await sleep(3000); // a flow is a stream after two seconds
    for (let round = 0; round < 2 * UDP_TIMEOUT_S; round++) {
      const flows = OTHERS.map((id) => kernelFlows(lab, id).join("\n"));
      for (const each of flows) expect(each).toContain(` sport=${localPort} `);
      await sleep(1000);
    }
    await far.stop();
    const { sync } = await lab.status(1);
    expect(sync?.counters.refreshed).toBeGreaterThan(1);
    expect(sync?.counters.recreated).toBe(0);
  });

  test("a download goes on when its bucket goes away and comes back", async () => {
    const [localPort] = portsInto((await lab.status(VICTIM)).range, 1, {
      ...{ protocol: TCP, port: STREAM_PORT, first: 35_000 },
    });
    const download = new StreamEnd(lab, "client", "download", {
      ...ENDS,
      ...LONG,
      localPort,
    });
    await download.next();
    await sleep(REPLICATED_MS);
    expect(await ownerOf(lab, 1, localPort as number)).toBe(VICTIM);
    shardwall(lab, VICTIM, "drain");
    await takenOver(lab, OTHERS);
    await sleep(3000);
    shardwall(lab, VICTIM, "join");
    await atRest(lab);
    expect(await ownerOf(lab, 1, localPort as number)).toBe(VICTIM);
    const { stallMs, ...whole } = await download.next(40_000);
    const sha256 = sha256OfPaced(LONG.bytes);
    expect(whole).toEqual({ bytes: LONG.bytes, failure: "", sha256 });
    console.info(`there and back: stalled ${stallMs} ms`);
  });

  test("connections that others' rules translate are not cut: it pauses meanwhile", async () => {
    for (const id of lab.nodes) lab.exec(`node${id}`, ["nft", "-f", "-"], USER_RULES);
    await are("on");
    const target = { ...ENDS, port: USER_PORT, bytes: 300_000, perSecond: 100_000 };
    const downloads = Array.from(
      { length: 6 },
      () => new StreamEnd(lab, "client", "download", target),
    );
    await are("paused");
    for (const download of downloads) {
      expect(await download.next()).toEqual({ open: true });
      const sha256 = sha256OfPaced(target.bytes);
      expect(await download.next()).toMatchObject({ bytes: target.bytes, failure: "", sha256 });
    }
    await are("on");
  });
});
