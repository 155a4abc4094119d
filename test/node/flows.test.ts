/**
 * Connections outlive the node that carried them, whatever becomes of it: the client sees a stall,
 * never a reset, and every byte arrives.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../../src/cli/client.js";
import { Lab } from "../../src/demo/lab.js";
import { CABLES, type Cable } from "../../src/demo/topology.js";
import {
  atRest,
  ECHO_PORT,
  portsInto,
  shardwall,
  sleep,
  startNodes,
  TCP,
  takenOver,
  UDP,
} from "../fixture/cluster.js";
import { rootOnly } from "../fixture/netns.js";
import {
  ENDS,
  mirrorsAgree,
  ownerOf,
  PACED,
  PACED_SHA256,
  REPLICATED_MS,
  STREAM_PORT,
  StreamEnd,
} from "../fixture/streams.js";

const VICTIM = 2;
const SURVIVORS = [1, 3];

/** What becomes of a node, and how it comes back. */
interface Fate {
  readonly name: string;
  befalls(lab: Lab): Promise<void>;
  ends(lab: Lab): Promise<void>;
}

/** The others find out by themselves. */
const SUDDEN: readonly Fate[] = [
  {
    name: "SIGKILL",
    async befalls(lab) {
      lab.node(VICTIM).kill("SIGKILL");
    },
    async ends(lab) {
      await lab.node(VICTIM).ended;
      startNodes(lab, [VICTIM]);
    },
  },
  {
    name: "SIGSTOP",
    async befalls(lab) {
      lab.node(VICTIM).kill("SIGSTOP");
    },
    async ends(lab) {
      lab.node(VICTIM).kill("SIGCONT");
    },
  },
  {
    name: "all links down",
    async befalls(lab) {
      setCables(lab, "down");
    },
    async ends(lab) {
      setCables(lab, "up");
    },
  },
];

/** The node hands its range over first. */
const PLANNED: readonly Fate[] = [
  {
    name: "drain",
    async befalls(lab) {
      await ask(lab.node(VICTIM).files.socket, "POST", "/v1/drain");
    },
    async ends(lab) {
      shardwall(lab, VICTIM, "join");
    },
  },
  {
    name: "SIGTERM",
    async befalls(lab) {
      lab.node(VICTIM).kill("SIGTERM");
    },
    async ends(lab) {
      await lab.node(VICTIM).ended;
      startNodes(lab, [VICTIM]);
    },
  },
];

function setCables(lab: Lab, state: "up" | "down"): void {
  for (const cable of Object.keys(CABLES) as Cable[]) lab.setCable(VICTIM, cable, state);
}

rootOnly("connections of a node that goes", () => {
  let lab: Lab;
  let nextPort = 20_000;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab);
    await StreamEnd.serve(lab);
    await atRest(lab);
  });
  afterAll(() => lab?.close());

  /** A source port not used before whose flow the victim carries. */
  async function portOfVictim(protocol: number, port: number): Promise<number> {
    const { range } = await lab.status(VICTIM);
    const [found] = portsInto(range, 1, { protocol, port, first: nextPort });
    nextPort = (found as number) + 1;
    return found as number;
  }

  /** Both were carried by the victim before its fate, and are by another node after. */
  async function survives(fate: Fate): Promise<void> {
    const localPort = await portOfVictim(TCP, STREAM_PORT);
    const udpPort = await portOfVictim(UDP, ECHO_PORT);
    const download = new StreamEnd(lab, "client", "download", { ...ENDS, ...PACED, localPort });
    const udp = new StreamEnd(lab, "client", "udp", {
      ...ENDS,
      localPort: udpPort,
      everyMs: 20,
    });
    await download.next();
    await sleep(REPLICATED_MS);
    expect(await ownerOf(lab, 1, localPort)).toBe(VICTIM);

    await fate.befalls(lab);
    await takenOver(lab, SURVIVORS);
    // Of a range that moved, a node hears with the next heartbeat of its new owner.
    const isCarried = async () => SURVIVORS.includes((await ownerOf(lab, 1, localPort)) ?? 0);
    await lab.waitFor("survivor that carries the download", isCarried);
    const { stallMs, ...whole } = await download.next();
    expect(whole).toEqual({ bytes: PACED.bytes, failure: "", sha256: PACED_SHA256 });
    const { sent, answered, twice, ...exchange } = await udp.stop();
    console.info(
      `${fate.name}: TCP stalled ${stallMs} ms, UDP ${exchange.stallMs} ms;` +
        ` of ${sent} requests ${sent - answered} without and ${twice} with a second answer`,
    );
    expect(exchange.goesOn).toBe(true);
    await fate.ends(lab);
    await atRest(lab);
  }

  test.each(SUDDEN)("$name: a download and a UDP exchange go on", survives);

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

  test.each(PLANNED)("$name: a download and a UDP exchange go on", survives);
});
