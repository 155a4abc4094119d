/** What a starting node finds in its kernel: some has ended meanwhile, some only it still has. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { atRest, portsInto, sleep, startNodes, TCP, takenOver } from "../fixture/cluster.js";
import { rootOnly } from "../fixture/netns.js";
import { ENDS, mirrorsAgree, REPLICATED_MS, STREAM_PORT, StreamEnd } from "../fixture/streams.js";

const RESTARTED = 2;
const FLOWS = 30;

rootOnly("a restart", () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab);
    await StreamEnd.serve(lab);
    await atRest(lab);
  });
  afterAll(() => lab?.close());

  test("of one node sweeps from its kernel what ended meanwhile", async () => {
    const { range } = await lab.status(RESTARTED);
    const localPorts = portsInto(range, 5, { protocol: TCP, port: STREAM_PORT, first: 20_000 });
    const idle = new StreamEnd(lab, "client", "idle", { ...ENDS, localPorts });
    expect(await idle.next()).toEqual({ open: 5 });
    await sleep(REPLICATED_MS);
    lab.node(RESTARTED).kill("SIGTERM");
    await lab.node(RESTARTED).ended;
    // Without rules of its own the node's kernel does not follow connections: it sees no end.
    idle.stop().catch(() => {});
    await sleep(REPLICATED_MS);
    startNodes(lab, [RESTARTED]);
    await atRest(lab);
    expect(await mirrorsAgree(lab)).toEqual([]);
  });

  test("of all nodes at once keeps what their kernels have, also for who comes after", async () => {
    const localPorts = Array.from({ length: FLOWS }, (_, index) => 21_000 + index);
    const idle = new StreamEnd(lab, "client", "idle", { ...ENDS, localPorts });
    expect(await idle.next()).toEqual({ open: FLOWS });
    await sleep(REPLICATED_MS);
    for (const id of lab.nodes) lab.node(id).kill("SIGKILL");
    for (const id of lab.nodes) await lab.node(id).ended;
    startNodes(lab);
    await atRest(lab);
    await lab.waitFor("mirrored flows", async () => {
      const reports = [...(await lab.statuses()).values()];
      return reports.every(({ sync }) => (sync?.flows ?? 0) >= FLOWS);
    });
    lab.node(RESTARTED).kill("SIGKILL");
    await lab.node(RESTARTED).ended;
    await takenOver(lab, [1, 3]);
    expect(await idle.say("again")).toMatchObject({ answered: FLOWS, failures: {} });
    idle.stop().catch(() => {});
  });
});
