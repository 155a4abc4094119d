/**
 * Connections outlive the node that carried them, whatever becomes of it: the client sees a stall,
 * never a reset, and every byte arrives.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import type { Overrides } from "../../src/demo/node-process.js";
import { atRest, sleep, startNodes } from "../fixture/cluster.js";
import { PLANNED, SUDDEN, Trial } from "../fixture/fates.js";
import { rootOnly } from "../fixture/netns.js";
import { ENDS, mirrorsAgree, REPLICATED_MS, StreamEnd } from "../fixture/streams.js";

for (const earlyDrop of ["none", "tc"]) {
  rootOnly(`connections of a node that goes, early drop ${earlyDrop}`, () => {
    outlive({ dataplane: { earlyDrop } });
  });
}

function outlive(overrides: Overrides): void {
  let lab: Lab;
  let trial: Trial;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab, lab.nodes, overrides);
    await StreamEnd.serve(lab);
    await atRest(lab);
    trial = new Trial(lab, ENDS, 20_000, overrides);
  });
  afterAll(() => lab?.close());

  test.each(SUDDEN)("$name: a download and a UDP exchange go on", (fate) => trial.of(fate));

  test("after quiet, all kernels know the same flows", async () => {
    const idle = new StreamEnd(lab, "client", "idle", {
      ...ENDS,
      localPorts: Array.from({ length: 30 }, (_, index) => 40_000 + index),
    });
    expect(await idle.next()).toEqual({ open: 30 });
    await sleep(REPLICATED_MS);
    const flows = await mirrorsAgree(lab);
    for (let port = 40_000; port < 40_030; port++) {
      expect(flows.filter((flow) => flow.includes(` sport=${port} `))).toHaveLength(1);
    }
  });

  test.each(PLANNED)("$name: a download and a UDP exchange go on", (fate) => trial.of(fate));
}
