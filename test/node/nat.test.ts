/**
 * Source address translation by a cluster: each node uses the ports of its own buckets only, and a
 * translated connection outlives its node as any other does.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { LAB_HASH } from "../../src/demo/node-process.js";
import { INSIDE, OUTSIDE } from "../../src/demo/topology.js";
import { PortSlices } from "../../src/state/port-slices.js";
import { atRest, startNodes } from "../fixture/cluster.js";
import { rootOnly } from "../fixture/netns.js";
import { ENDS, flowsAt, STREAM_PORT, StreamEnd } from "../fixture/streams.js";

const PORTS = [10_000, 49_999] as const;
const SLICES = new PortSlices(PORTS, LAB_HASH.buckets);
const NAT = [
  { out: "eth2", source: "192.168.0.0/24", ports: PORTS.join("-") },
  { out: "eth2", source: "2001:db8:a::/64", ports: PORTS.join("-") },
];
const TO4 = "192.168.1.5";

rootOnly("source address translation", () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab, lab.nodes, { nat: NAT });
    await StreamEnd.serve(lab);
    await atRest(lab);
  });
  afterAll(() => lab?.close());

  test("translated ports are of the slice of the flow's bucket, and none is used twice", async () => {
    const ends = INSIDE.clients4.map((localAddress) => {
      const localPorts = Array.from({ length: 100 }, (_, index) => 20_000 + index);
      return new StreamEnd(lab, "client", "idle", { ...ENDS, localAddress, localPorts });
    });
    for (const end of ends) expect(await end.next()).toEqual({ open: 100 });
    const flows = (await flowsAt(lab, 1)).filter(({ original }) => original.dport === STREAM_PORT);
    console.info(flows.length, flows.slice(0, 3));
  });
});
