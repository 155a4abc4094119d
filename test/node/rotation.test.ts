/** The secret of a running cluster is exchanged: three rolling restarts, nobody is refused. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadSecrets } from "../../src/config/secret.js";
import { Lab } from "../../src/demo/lab.js";
import { atRest, startNodes } from "../fixture/cluster.js";
import { fixture, rootOnly } from "../fixture/netns.js";

const NODES = [1, 2, 3];
const MAIN = fixture("../../dist/main.js");

rootOnly("an exchange of the secret", () => {
  let lab: Lab;
  let master: string;
  const ownFile = (id: number) => join(lab.directory, `secret${id}`);
  /** No configured seed: it has to outlive the secret that it followed from. */
  const overrides = (id: number) => ({
    cluster: { secretFile: ownFile(id), hash: { mode: "tuple", seed: undefined } },
  });
  const keygen = (...args: string[]) =>
    lab.exec("node1", [process.execPath, MAIN, "keygen", ...args]);

  beforeAll(async () => {
    lab = Lab.open(NODES.length);
    master = join(lab.directory, "master");
    keygen("-o", master);
    for (const id of NODES) {
      copyFileSync(master, ownFile(id));
      startNodes(lab, [id], overrides(id));
    }
    await atRest(lab, NODES);
  });
  afterAll(() => lab?.close());

  /** One node after the other gets the new file; at each moment each understands all others. */
  async function rollOut(): Promise<void> {
    for (const id of NODES) {
      const node = lab.node(id);
      node.kill("SIGTERM");
      expect(await node.ended).toEqual({ code: 0, signal: null });
      copyFileSync(master, ownFile(id));
      startNodes(lab, [id], overrides(id));
      await atRest(lab, NODES);
    }
    const refused = (await Promise.all(NODES.map((id) => lab.status(id)))).map((status) => [
      status.transport.badAuth,
      status.transport.otherConfig,
    ]);
    expect(refused).toEqual(NODES.map(() => [0, 0]));
  }

  test.each([1, 2, 3])(
    "step %i: restarted one by one, all nodes understand each other all the time",
    async (step) => {
      const before = Buffer.from(loadSecrets(master).current);
      keygen("--rotate", master);
      expect(before.equals(loadSecrets(master).current)).toBe(step !== 2);
      await rollOut();
    },
    120_000,
  );

  test("in the end there is one secret, and the first one opens nothing", async () => {
    expect(loadSecrets(master).other).toBeNull();
    const warned = lab.node(1).log.filter((line) => line.includes("two secrets"));
    expect(warned).toEqual([]);
  });
});
