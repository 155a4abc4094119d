/**
 * Nodes whose replicas come into the kernel with their bucket (`sync.replicas: cold`), beside warm
 * ones: what the client sees is the same, what the kernels know is not.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import type { Overrides } from "../../src/demo/node-process.js";
import { atRest, shardwall, sleep, startNodes, takenOver } from "../fixture/cluster.js";
import { PLANNED, SUDDEN, Trial, VICTIM } from "../fixture/fates.js";
import { rootOnly } from "../fixture/netns.js";
import {
  ENDS,
  flowsAt,
  kernelFlows,
  ownerOf,
  PACED,
  PACED_SHA256,
  REPLICATED_MS,
  StreamEnd,
} from "../fixture/streams.js";

const COLD: Overrides = { sync: { replicas: "cold" } };
const WARM_NODE = 3;
const IDLE_PORTS = Array.from({ length: 30 }, (_, index) => 40_000 + index);

/** Waits until no node has flows on the way into its kernel or out of it, nor lets any linger. */
async function settled(lab: Lab): Promise<void> {
  await atRest(lab);
  await lab.waitFor("flows where they belong", async () => {
    const statuses = [...(await lab.statuses()).values()];
    return statuses.every(({ ownedBuckets, sync }) => {
      const { residence } = sync ?? { residence: null };
      return residence === null || (residence.in === ownedBuckets && residence.going === 0);
    });
  });
}

/** Ports of the idle connections that a kernel knows. */
function idlePorts(lab: Lab, id: number): number[] {
  const ports = kernelFlows(lab, id).map((flow) => Number(/ sport=(\d+)/.exec(flow)?.[1]));
  return [...new Set(ports)].filter((port) => IDLE_PORTS.includes(port)).sort((a, b) => a - b);
}

rootOnly("two cold nodes and a warm one", () => {
  let lab: Lab;
  let trial: Trial;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab, [1, VICTIM], COLD);
    startNodes(lab, [WARM_NODE]);
    await StreamEnd.serve(lab);
    await atRest(lab);
    trial = new Trial(lab, ENDS, 20_000, COLD);
  });
  afterAll(() => lab?.close());

  test.each(SUDDEN)("$name: a download and a UDP exchange go on", (fate) => trial.of(fate));

  test("a cold kernel has the flows of its own buckets, and `flows` tells of all", async () => {
    const localPorts = IDLE_PORTS;
    const idle = new StreamEnd(lab, "client", "idle", { ...ENDS, localPorts });
    expect(await idle.next()).toEqual({ open: localPorts.length });
    await sleep(REPLICATED_MS);
    await settled(lab);
    const told = await flowsAt(lab, 1);
    for (const id of lab.nodes) {
      const flows = (await flowsAt(lab, id)).filter((each) =>
        localPorts.includes(each.original.sport ?? 0),
      );
      expect(flows.map((each) => each.original.sport).sort()).toEqual(localPorts);
      const isHere = (port: number) =>
        told.find((each) => each.original.sport === port)?.owner === id;
      const expected = id === WARM_NODE ? localPorts : localPorts.filter(isHere);
      expect([id, idlePorts(lab, id)]).toEqual([id, expected]);
      const out = flows.filter(({ replication }) => replication?.isInKernel === false);
      expect(out).toHaveLength(localPorts.length - expected.length);
    }
    const { replicas } = await lab.status(1);
    expect(replicas).toEqual({ mode: "cold", waitingBuckets: 0, leasedLate: 0 });
    expect(shardwall(lab, 1, "status")).toContain("replicas");
    expect(shardwall(lab, 1, "flows")).toContain("[COLD REPLICA]");
    expect(shardwall(lab, WARM_NODE, "flows")).not.toContain("[COLD REPLICA]");
  });

  test.each(PLANNED)("$name: a download and a UDP exchange go on", (fate) => trial.of(fate));

  test("no node has taken what is out of its kernel for ended", async () => {
    await settled(lab);
    const owners = async (id: number) => {
      const flows = await flowsAt(lab, id);
      return IDLE_PORTS.map((port) => flows.find(({ original }) => original.sport === port)?.owner);
    };
    expect(await owners(1)).not.toContain(undefined);
    expect(await owners(1)).toEqual(await owners(WARM_NODE));
    for (const { invariants, sync } of (await lab.statuses()).values()) {
      expect(Object.values(invariants).every((count) => count === 0)).toBe(true);
      expect(sync?.driftedBuckets).toBe(0);
    }
  });
});

const NAT = [{ out: "eth2", source: "192.168.0.0/24" }];

describe.each([
  ["source", { cluster: { hash: { mode: "source", seed: 1 } } }],
  ["xt-cluster", { cluster: { buckets: 3, hash: { mode: "xt-cluster", seed: 1, totalNodes: 3 } } }],
  ["tuple, translated", { nat: NAT }],
  ["tuple, early drop", { dataplane: { earlyDrop: "tc" } }],
])("all cold, %s", (_, overrides: Overrides) => {
  rootOnly("connections of a node that is killed", () => {
    let lab: Lab;

    beforeAll(async () => {
      lab = Lab.open(3);
      startNodes(lab, lab.nodes, { ...overrides, ...COLD });
      await StreamEnd.serve(lab);
      await settled(lab);
    });
    afterAll(() => lab?.close());

    test("go on, and its return moves them back", async () => {
      const localPort = 21_000;
      const download = new StreamEnd(lab, "client", "download", { ...ENDS, ...PACED, localPort });
      const localUdp = { ...ENDS, localPort: localPort + 1, everyMs: 20 };
      const udp = new StreamEnd(lab, "client", "udp", localUdp);
      await download.next();
      await sleep(REPLICATED_MS);
      const carrier = (await ownerOf(lab, 1, localPort)) as number;
      const others = lab.nodes.filter((id) => id !== carrier);
      lab.node(carrier).kill("SIGKILL");
      await takenOver(lab, others);
      const { stallMs: _stall, ...whole } = await download.next();
      expect(whole).toEqual({ bytes: PACED.bytes, failure: "", sha256: PACED_SHA256 });
      await lab.node(carrier).ended;
      startNodes(lab, [carrier], { ...overrides, ...COLD });
      await settled(lab);
      expect((await udp.stop()).goesOn).toBe(true);
    });
  });
});
