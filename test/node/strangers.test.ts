/** Nodes that meet on one link and must not merge: other names, secrets, settings, and twins. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { writeSecret } from "../../src/config/secret.js";
import { Lab } from "../../src/demo/lab.js";
import type { Overrides } from "../../src/demo/node-process.js";
import { atRest, logged, sleep, startNodes, TIMING } from "../fixture/cluster.js";
import { rootOnly } from "../fixture/netns.js";

const MEMBERS = [1, 2];
const OUTSIDER = 3;
const ALL_BUCKETS = 256;

rootOnly("on the same link", () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab, MEMBERS);
    await atRest(lab, MEMBERS);
  });
  afterAll(() => lab?.close());
  afterEach(async () => {
    const node = lab.node(OUTSIDER);
    node.kill("SIGKILL");
    await node.ended;
  });

  const startOutsider = (overrides: Overrides) => startNodes(lab, [OUTSIDER], overrides);

  /** The outsider runs for a while; the members must not care. */
  async function membersUnmoved(meanwhile: () => Promise<void>): Promise<void> {
    const before = await lab.status(1);
    await meanwhile();
    const after = await lab.status(1);
    expect(after.view).toEqual(MEMBERS);
    expect(after.range).toEqual(before.range);
    expect(after.incarnation).toBe(before.incarnation);
  }

  async function alone(counter: string): Promise<void> {
    const whole = async () =>
      (await lab.status(OUTSIDER).catch(() => null))?.ownedBuckets === ALL_BUCKETS;
    await lab.waitFor("a cluster of its own", whole);
    for (const id of [1, OUTSIDER]) {
      const counted = async () => ((await lab.status(id)).transport[counter] as number) > 5;
      await lab.waitFor(`${counter} at node ${id}`, counted);
    }
    expect((await lab.status(OUTSIDER)).peers).toEqual([]);
  }

  test("a cluster of another name goes its own way", () =>
    membersUnmoved(async () => {
      startOutsider({ cluster: { name: "other" } });
      await alone("otherCluster");
    }));

  test("a node with a wrong secret is not heard, and hears nobody", () =>
    membersUnmoved(async () => {
      const secretFile = join(lab.directory, "wrong-secret");
      writeSecret(secretFile, randomBytes(32));
      startOutsider({ cluster: { secretFile } });
      await alone("badAuth");
    }));

  test.each([
    ["seed", { hash: { seed: 1 } }],
    ["number of buckets", { buckets: 512 }],
  ])("another %s is said and does not merge", (_, cluster) =>
    membersUnmoved(async () => {
      startOutsider({ cluster });
      await Promise.all([
        logged(lab, 1, /configMismatch/),
        logged(lab, OUTSIDER, /configMismatch/),
      ]);
      await sleep(3 * TIMING.failureMs);
      const outsider = await lab.status(OUTSIDER);
      expect(outsider).toMatchObject({ state: "joining", ownedBuckets: 0 });
      expect(outsider.lease.valid).toBe(false);
      expect((await lab.status(1)).transport.otherConfig).toBeGreaterThan(0);
    }),
  );

  describe("a second node 1", () => {
    test("stops with a message, the first one lives on", () =>
      membersUnmoved(async () => {
        startOutsider({ node: 1 });
        expect(await lab.node(OUTSIDER).ended).toEqual({ code: 1, signal: null });
        await logged(lab, OUTSIDER, /^shardwall: node id 1 is used by a live node/);
        const rules = lab.exec(`node${OUTSIDER}`, ["nft", "list", "ruleset"]);
        expect(rules).not.toContain("shardwall_lab");
      }));
  });
});
