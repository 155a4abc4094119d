/** What others do to a running node: pull its cable, flush its rules, take its address away. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { atRest, startNodes, takenOver } from "../fixture/cluster.js";
import { rootOnly } from "../fixture/netns.js";

const HURT = 2;
const OTHERS = [1, 3];

rootOnly("a node that is hurt", () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab);
    await atRest(lab);
  });
  afterAll(() => lab?.close());

  const rules = () => lab.exec(`node${HURT}`, ["nft", "list", "ruleset"]);
  const counted = (text: string) =>
    text.replace(/packets \d+ bytes \d+/g, "").replace(/elements = \{[^}]*\}/g, "");

  test("without carrier it hands over; with carrier it comes back", async () => {
    lab.setCable(HURT, "inside", "down");
    await lab.waitFor("handover", async () => (await lab.status(HURT)).ownedBuckets === 0);
    await takenOver(lab, OTHERS);
    const status = await lab.status(HURT);
    expect(status.state).toBe("draining");
    expect(status.fit).toContain("eth1: no carrier, down or gone");
    lab.setCable(HURT, "inside", "up");
    await atRest(lab);
    expect((await lab.status(HURT)).fit).toEqual([]);
  });

  test("without its sync link it is alone; with it the ranges are disjoint again", async () => {
    lab.setCable(HURT, "sync", "down");
    await takenOver(lab, OTHERS);
    await takenOver(lab, [HURT]); // isolation: serve
    lab.setCable(HURT, "sync", "up");
    await atRest(lab);
  });

  test("flushed rules come back, and the node joins anew", async () => {
    const before = counted(rules());
    const { incarnation } = await lab.status(HURT);
    lab.exec(`node${HURT}`, ["nft", "flush", "ruleset"]);
    await lab.waitFor("rules", () => counted(rules()) === before);
    await atRest(lab);
    // It fell silent when the kernel refused its lease, and joined anew.
    expect((await lab.status(HURT)).incarnation).not.toBe(incarnation);
    expect(lab.node(HURT).log.join("\n")).toContain("repairing rules and addresses");
  });

  test("a cluster address that was taken away comes back", async () => {
    const addresses = () => lab.exec(`node${HURT}`, ["ip", "-brief", "address"]);
    const before = addresses();
    lab.exec(`node${HURT}`, ["ip", "address", "delete", "192.168.0.5/24", "dev", "eth1"]);
    await lab.waitFor("address", () => addresses() === before);
    await atRest(lab);
  });
});

describe("a cluster that grows and shrinks", () => {
  rootOnly("from two nodes to six and back", () => {
    let lab: Lab;

    beforeAll(() => {
      lab = Lab.open(6);
    });
    afterAll(() => lab?.close());

    test("is at rest with equal ranges after each step", async () => {
      startNodes(lab, [2, 5]);
      await atRest(lab, [2, 5]);
      startNodes(lab, [1, 3, 4, 6]);
      await atRest(lab);
      const sizes = [...(await lab.statuses()).values()].map(({ ownedBuckets }) => ownedBuckets);
      expect(sizes.sort()).toEqual([42, 42, 43, 43, 43, 43]);
      for (const id of [1, 4, 5]) lab.node(id).kill("SIGTERM");
      await atRest(lab, [2, 3, 6]);
      const node = lab.node(3);
      node.kill("SIGKILL");
      await node.ended;
      await atRest(lab, [2, 6]);
      expect(await lab.node(4).ended).toEqual({ code: 0, signal: null });
    });
  });
});
