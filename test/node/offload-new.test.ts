/**
 * New flows that the workers are not asked about: the early drop's program names their bucket, the
 * rules accept it under the lease. With and without translation, whose replies name another one.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StatusReport } from "../../src/api/report.js";
import { Lab } from "../../src/demo/lab.js";
import type { Overrides } from "../../src/demo/node-process.js";
import { INSIDE, OUTSIDE } from "../../src/demo/topology.js";
import { atRest, sleep, startNodes, takenOver } from "../fixture/cluster.js";
import { SURVIVORS, VICTIM } from "../fixture/fates.js";
import { rootOnly } from "../fixture/netns.js";
import { flowsAt, mirrorsAgree, REPLICATED_MS, StreamEnd } from "../fixture/streams.js";

const CONNECTIONS = 60;
const DATAPLANE = { earlyDrop: "tc", offload: "new" };
const NAT = { nat: [{ out: "eth2", source: "192.168.0.0/24", ports: "10000-49999" }] };
const TARGETS = [
  { host: OUTSIDE.server4, localAddress: INSIDE.clients4[0] },
  { host: OUTSIDE.server6, localAddress: INSIDE.clients6[0] },
];

function accepts(title: string, settings: Overrides): void {
  rootOnly(title, () => {
    let lab: Lab;

    beforeAll(async () => {
      lab = Lab.open(3);
      startNodes(lab, lab.nodes, { dataplane: DATAPLANE, ...settings });
      await StreamEnd.serve(lab);
      await atRest(lab);
      await lab.waitFor("early drop everywhere", async () => {
        const statuses = [...(await lab.statuses()).values()];
        return statuses.every(({ packets }) => packets.earlyDrop === "on");
      });
    });
    afterAll(() => lab?.close());

    const sum = async (reason: string, ids = lab.nodes) => {
      const statuses = await Promise.all(ids.map((id) => lab.status(id)));
      const counts = statuses.map(({ packets }: StatusReport) => packets.byReason[reason] ?? 0);
      return counts.reduce((total, count) => total + count, 0);
    };
    /** `CONNECTIONS` of each family, each used once. */
    const openAll = (first: number) =>
      Promise.all(
        TARGETS.map(async (target) => {
          const localPorts = Array.from({ length: CONNECTIONS }, (_, at) => first + at);
          const end = new StreamEnd(lab, "client", "idle", { ...target, localPorts });
          expect(await end.next()).toEqual({ open: CONNECTIONS });
          return end;
        }),
      );
    const areUsed = async (ends: readonly StreamEnd[]) => {
      for (const end of ends) {
        expect(await end.say("again")).toMatchObject({ answered: CONNECTIONS, failures: {} });
      }
    };

    test("each is accepted by exactly one node, which no worker is asked for", async () => {
      const asked = await sum("own-new");
      const ends = await openAll(10_000);
      await lab.waitFor("the count of new flows", async () => {
        return (await sum("own-early")) >= ends.length * CONNECTIONS;
      });
      expect((await sum("own-new")) - asked).toBeLessThan(CONNECTIONS / 10);
      await mirrorsAgree(lab);
      const owners = (await flowsAt(lab, 1)).map(({ owner }) => owner);
      for (const id of lab.nodes) expect(owners).toContain(id);
      await areUsed(ends);
    });

    test("they outlive their node, and survivors accept what is new in its place", async () => {
      const ends = await openAll(20_000);
      await sleep(REPLICATED_MS);
      lab.node(VICTIM).kill("SIGKILL");
      await takenOver(lab, SURVIVORS);
      await areUsed(ends);
      const before = await sum("own-early", SURVIVORS);
      await areUsed(await openAll(30_000));
      await lab.waitFor("the count of new flows", async () => {
        return (await sum("own-early", SURVIVORS)) - before >= ends.length * CONNECTIONS;
      });
    });
  });
}

accepts("offload new", {});
accepts("offload new, translated", NAT);
