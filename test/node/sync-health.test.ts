/**
 * How well nodes know each other's flows: links that are cut at one end or both, kernel events that
 * are lost for real, a resync. Each is said where an operator looks, and repaired.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LinkReport, StatusReport } from "../../src/api/report.js";
import { Lab } from "../../src/demo/lab.js";
import { CABLES, SYNC } from "../../src/demo/topology.js";
import { atRest, shardwall, sleep, startNodes, TIMING, takenOver } from "../fixture/cluster.js";
import { rootOnly } from "../fixture/netns.js";
import { ENDS, flowsAt, mirrorsAgree, REPLICATED_MS, StreamEnd } from "../fixture/streams.js";

const FIRST = { interface: CABLES.sync, ...SYNC };
const SECOND = { interface: CABLES.sync, group: "225.0.0.51", port: SYNC.port + 1 };

/** Small enough that a burst of connections overflows it on any machine. */
const EVENT_BUFFER_BYTES = 4096;
const BURST = 300;

interface Told {
  readonly name: string;
  readonly details: { readonly node?: number; readonly link?: number; readonly end?: string };
}

function toldBy(lab: Lab, id: number): Told[] {
  const lines = shardwall(lab, id, "events", "--json").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Told);
}

/** Link `link` of node `id` carries nothing in these directions any more, or does again. */
function cut(lab: Lab, id: number, ports: readonly number[], chains: string[], how: "-A" | "-D") {
  for (const chain of chains) {
    for (const port of ports) {
      const rule = ["-p", "udp", "--dport", String(port), "-j", "DROP"];
      lab.exec(`node${id}`, ["iptables", how, chain, ...rule]);
    }
  }
}

const portsFrom = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => first + index);

async function openIdle(lab: Lab, first: number, count: number): Promise<StreamEnd> {
  const idle = new StreamEnd(lab, "client", "idle", {
    ...ENDS,
    localPorts: portsFrom(first, count),
  });
  expect(await idle.next()).toEqual({ open: count });
  return idle;
}

function linkTo(status: StatusReport, node: number, link: number): LinkReport {
  const found = status.peers.find((peer) => peer.node === node)?.links[link];
  if (!found) throw new Error(`node ${status.node} does not know link ${link} to node ${node}`);
  return found;
}

const lost = ({ sync }: StatusReport) =>
  (sync?.peers ?? []).reduce((sum, { outOfSync }) => sum + outOfSync, 0);

rootOnly("two links between three nodes", () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = Lab.open(3);
    // A node that loses all peers serves nothing: two halves that both track one connection would
    // each know half of it.
    const membership = { isolation: "majority", size: 3 };
    startNodes(lab, lab.nodes, { links: [FIRST, SECOND], membership });
    await StreamEnd.serve(lab);
    await atRest(lab);
  });
  afterAll(() => lab?.close());

  test("one link cut in one direction: each end says which end hears nothing", async () => {
    cut(lab, 2, [SECOND.port], ["INPUT"], "-A");
    await lab.waitFor("node 2 that hears nothing on link 1", async () => {
      const { ageMs } = linkTo(await lab.status(2), 1, 1);
      return ageMs !== null && ageMs > TIMING.failureMs;
    });
    await lab.waitFor("node 1 that knows of it", async () => {
      return linkTo(await lab.status(1), 2, 1).heardThere === false;
    });
    expect(linkTo(await lab.status(1), 2, 0).heardThere).toBe(true);
    expect(linkTo(await lab.status(2), 1, 1).heardThere).toBe(true);
    const silent = { name: "linkSilent", details: { node: 2, link: 1, end: "there" } };
    await lab.waitFor("events", () => toldBy(lab, 1).some(({ name }) => name === silent.name));
    expect(toldBy(lab, 1)).toContainEqual(expect.objectContaining(silent));
    expect(shardwall(lab, 1, "nodes")).toMatch(/eth3:\S*,unheard/);
  });

  test("cut in both: flows are replicated on the other, and nobody is taken for dead", async () => {
    cut(lab, 2, [SECOND.port], ["OUTPUT"], "-A");
    const idle = await openIdle(lab, 41_000, 20);
    await sleep(REPLICATED_MS);
    const flows = await mirrorsAgree(lab);
    expect(flows.filter((flow) => / sport=410[01]\d /.test(flow))).toHaveLength(20);
    for (const status of (await lab.statuses()).values()) {
      expect(status.view).toEqual([1, 2, 3]);
      expect(lost(status)).toBe(0);
    }
    await idle.stop().catch(() => {});
    cut(lab, 2, [SECOND.port], ["INPUT", "OUTPUT"], "-D");
    await lab.waitFor("link 1 that is heard at both ends", async () => {
      const [here, there] = await Promise.all([lab.status(1), lab.status(2)]);
      return [linkTo(here, 2, 1), linkTo(there, 1, 1)].every(({ heardThere }) => heardThere);
    });
  });

  test("all links cut and back: the gap is repaired without a table", async () => {
    const before = await lab.statuses();
    cut(lab, 2, [FIRST.port, SECOND.port], ["INPUT", "OUTPUT"], "-A");
    await lab.waitFor("two halves", async () => {
      const [one, two] = await Promise.all([lab.status(1), lab.status(2)]);
      return one.view.join() === "1,3" && two.ownedBuckets === 0;
    });
    await takenOver(lab, [1, 3]);
    const idle = await openIdle(lab, 42_000, 30);
    await sleep(REPLICATED_MS);
    cut(lab, 2, [FIRST.port, SECOND.port], ["INPUT", "OUTPUT"], "-D");
    await atRest(lab);
    const flows = await mirrorsAgree(lab);
    expect(flows.filter((flow) => / sport=420[0-2]\d /.test(flow))).toHaveLength(30);
    for (const [id, status] of await lab.statuses()) {
      expect(status.incarnation).toBe(before.get(id)?.incarnation);
      expect(lost(status)).toBe(lost(before.get(id) as StatusReport));
    }
    expect(await idle.say("after the cut")).toMatchObject({ answered: 30 });
  });

  test("resync fetches everything again, and says so", async () => {
    const before = await mirrorsAgree(lab);
    expect(shardwall(lab, 1, "resync")).toMatch(/^resync: done, \d+ of \d+ flows of peers$/m);
    const { sync } = await lab.status(1);
    expect(sync?.resync).toMatchObject({ number: 1, state: "done", reason: "" });
    expect(sync?.resync?.flows).toBe(sync?.resync?.flowsExpected);
    expect(shardwall(lab, 1, "status")).toMatch(/^resync +done /m);
    expect((await mirrorsAgree(lab)).length).toBe(before.length);
  });

  test("flows tell their age and who has them", async () => {
    await openIdle(lab, 43_000, 30);
    await sleep(REPLICATED_MS + 1000);
    const [own, replicas] = [new Set<number>(), new Set<number>()];
    for (const id of lab.nodes) {
      for (const { original, replication } of await flowsAt(lab, id)) {
        const port = original.sport ?? 0;
        if (port < 43_000 || port >= 43_030) continue;
        expect(replication?.ageMs).toBeGreaterThan(500);
        if (replication?.role === "replica") replicas.add(port);
        else {
          own.add(port);
          expect(replication?.peers).toEqual(lab.nodes.filter((other) => other !== id));
        }
      }
    }
    expect([own.size, replicas.size]).toEqual([30, 30]);
    expect(shardwall(lab, 1, "flows")).toMatch(/ age=\d+ (peers=2,3|\[REPLICA\]) /);
  });
});

rootOnly("a node whose kernel drops events", () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = Lab.open(2);
    startNodes(lab, lab.nodes, { sync: { eventBufferBytes: EVENT_BUFFER_BYTES } });
    await StreamEnd.serve(lab);
    await atRest(lab);
  });
  afterAll(() => lab?.close());

  test("says that it is degraded, reads its table again, and all agree", async () => {
    const overruns = async () => {
      const statuses = [...(await lab.statuses()).values()];
      return statuses.reduce((sum, { sync }) => sum + (sync?.overruns ?? 0), 0);
    };
    const before = await overruns();
    await openIdle(lab, 44_000, BURST);
    await lab.waitFor("lost events", async () => (await overruns()) > before);
    await sleep(REPLICATED_MS);
    const flows = await mirrorsAgree(lab);
    expect(flows.length).toBeGreaterThanOrEqual(BURST);
    const told = lab.nodes.flatMap((id) => toldBy(lab, id).map(({ name }) => name));
    expect(told).toContain("eventsLost");
    expect(told).toContain("peerDegraded");
    await lab.waitFor("nodes that are well", async () => {
      const statuses = [...(await lab.statuses()).values()];
      return statuses.every(({ sync }) => {
        return sync?.degraded === null && sync.peers.every((peer) => peer.degraded === null);
      });
    });
    console.info(
      `${(await overruns()) - before} overruns, then ${flows.length} flows at all nodes`,
    );
  });
});
