/** A neighbour that knew a cluster address under another MAC learns the right one at the start. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { INSIDE } from "../../src/demo/topology.js";
import { atRest, startNodes } from "../fixture/cluster.js";
import { rootOnly } from "../fixture/netns.js";

const STALE_MAC = "02:00:00:00:00:99";

rootOnly("an announcement", () => {
  let lab: Lab;

  beforeAll(() => {
    lab = Lab.open(2);
  });
  afterAll(() => lab?.close());

  test("replaces a stale neighbour entry, IPv4 and IPv6", async () => {
    const addresses = INSIDE.cluster.map((cidr) => cidr.split("/")[0] as string);
    for (const address of addresses) {
      const entry = ["replace", address, "lladdr", STALE_MAC, "dev", "eth0", "nud", "stale"];
      lab.exec("client", ["ip", "neighbour", ...entry]);
    }
    startNodes(lab);
    await atRest(lab);
    for (const address of addresses) {
      const known = lab.exec("client", ["ip", "neighbour", "show", address]);
      expect(known).toContain(`lladdr ${INSIDE.mac}`);
    }
  });
});
