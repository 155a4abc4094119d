/** A node without peers has nobody to tell of flows, and does not listen to its kernel for it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { atRest, startNodes, takenOver } from "../fixture/cluster.js";
import { rootOnly } from "../fixture/netns.js";
import { ENDS, kernelFlows, mirrorsAgree, StreamEnd } from "../fixture/streams.js";

const COUNT = 20;

rootOnly("a node that was alone", () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = Lab.open(2);
    startNodes(lab, [1]);
    await StreamEnd.serve(lab);
    await atRest(lab, [1]);
  });
  afterAll(() => lab?.close());

  const isAttending = async () => (await lab.status(1)).sync?.isAttending;

  async function open(first: number): Promise<StreamEnd> {
    const localPorts = Array.from({ length: COUNT }, (_, index) => first + index);
    const idle = new StreamEnd(lab, "client", "idle", { ...ENDS, localPorts });
    expect(await idle.next()).toEqual({ open: COUNT });
    return idle;
  }

  test("has its flows with its peer when one comes, and tells how they end", async () => {
    await lab.waitFor("an end of listening", async () => (await isAttending()) === false);
    const [brief, lasting] = [await open(20_000), await open(21_000)];
    expect((await lab.status(1)).sync).toMatchObject({ counters: { told: 0 }, flows: 0 });

    startNodes(lab, [2]);
    await atRest(lab);
    expect(await isAttending()).toBe(true);
    expect(await mirrorsAgree(lab)).toHaveLength(2 * COUNT);
    brief.end();
    const isOver = (id: number) => kernelFlows(lab, id).length === COUNT;
    await lab.waitFor("end of the brief ones", () => lab.nodes.every(isOver));

    lab.node(1).kill("SIGKILL");
    await takenOver(lab, [2]);
    expect(await lasting.say("again")).toMatchObject({ answered: COUNT });
    startNodes(lab, [1]);
    await atRest(lab);
    expect(await mirrorsAgree(lab)).toHaveLength(COUNT);
  });
});
