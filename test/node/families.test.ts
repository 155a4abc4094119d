/**
 * Both families and all protocols go on when the node that carries them goes. Once they are on
 * their way, every node drops what its kernel does not know: nothing begins anew unseen.
 */
import type { ChildProcess } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FlowReport } from "../../src/api/flow-report.js";
import { ask } from "../../src/cli/client.js";
import { Lab } from "../../src/demo/lab.js";
import { INSIDE, OUTSIDE } from "../../src/demo/topology.js";
import { atRest, shardwall, sleep, startNodes, takenOver } from "../fixture/cluster.js";
import { rootOnly } from "../fixture/netns.js";
import { flowsAt, REPLICATED_MS, StreamEnd } from "../fixture/streams.js";

const VICTIM = 2;
const SURVIVORS = [1, 3];
const NOTHING_NEW = `table inet site {
  chain forward {
    type filter hook forward priority 0;
    ct state != { established, related } drop
  }
}
`;
/** UDP in both directions is assured after two seconds (nf_conntrack_proto_udp.c). */
const ASSURED_MS = 2500;
/** Flows tried until one is the victim's. */
const TRIES = 40;

const V4 = { host: OUTSIDE.server4, localAddress: INSIDE.clients4[0] };
const V6 = { host: OUTSIDE.server6, localAddress: INSIDE.clients6[0] };

/** A row of echo requests with an id of its own. */
class Ping {
  /** The last sequence number that was answered. */
  last = 0;
  private readonly child: ChildProcess;

  constructor(lab: Lab, address: string, id: number) {
    this.child = lab.spawn("client", ["ping", "-n", "-i", "0.2", "-e", String(id), address]);
    this.child.stderr?.resume();
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      for (const [, sequence] of text.matchAll(/bytes from .* icmp_seq=(\d+) /g)) {
        this.last = Number(sequence);
      }
    });
  }

  async stop(): Promise<void> {
    this.child.kill("SIGINT");
  }
}

const FATES = [
  {
    name: "killed",
    befalls: async (lab: Lab) => lab.node(VICTIM).kill("SIGKILL"),
    ends: async (lab: Lab) => startNodes(lab, [VICTIM]),
  },
  {
    name: "drained",
    befalls: (lab: Lab) => ask(lab.node(VICTIM).files.socket, "POST", "/v1/drain"),
    ends: async (lab: Lab) => shardwall(lab, VICTIM, "join"),
  },
];

rootOnly("flows of both families", () => {
  let lab: Lab;
  let nextKey = 20_000;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab);
    await StreamEnd.serve(lab);
    await atRest(lab);
  });
  afterAll(() => lab?.close());

  /** Starts traffic with one port or id after the other, until the victim carries it. */
  async function ofVictim<T extends { stop(): Promise<unknown> }>(start: (key: number) => T) {
    for (let count = 0; count < TRIES; count++) {
      const key = nextKey++;
      const traffic = start(key);
      const isOf = ({ original: { sport, id } }: FlowReport) => sport === key || id === key;
      const find = async () => (await flowsAt(lab, VICTIM)).find(isOf);
      await lab.waitFor("flow at the victim", async () => (await find()) !== undefined);
      if ((await find())?.owner === VICTIM) return { key, traffic };
      await traffic.stop();
    }
    throw new Error(`none of ${TRIES} flows is the victim's`);
  }

  test.each(FATES)("TCP over IPv6, UDP and ping over both: their node is $name", async (fate) => {
    const udp = [V4, V6].map((ends) => {
      return ofVictim((localPort) => {
        return new StreamEnd(lab, "client", "udp", { ...ends, localPort, everyMs: 50 });
      });
    });
    const pings = [V4, V6].map(({ host }) => ofVictim((id) => new Ping(lab, host, id)));
    const traffic = { udp: await Promise.all(udp), pings: await Promise.all(pings) };
    const localPorts = Array.from({ length: TRIES }, () => nextKey++);
    const tcp = new StreamEnd(lab, "client", "idle", { ...V6, localPorts });
    expect(await tcp.next()).toEqual({ open: TRIES });
    await sleep(ASSURED_MS + REPLICATED_MS);
    const isMine = ({ original, owner }: FlowReport) =>
      owner === VICTIM && localPorts.includes(original.sport ?? 0);
    const flows = await flowsAt(lab, SURVIVORS[0]);
    expect(flows.filter(isMine).length).toBeGreaterThan(0);
    for (const { key } of traffic.udp) {
      expect(flows.find(({ original }) => original.sport === key)).toMatchObject({ assured: true });
    }

    for (const id of lab.nodes) lab.exec(`node${id}`, ["nft", "-f", "-"], NOTHING_NEW);
    await fate.befalls(lab);
    await takenOver(lab, SURVIVORS);
    expect(await tcp.say("again")).toMatchObject({ answered: TRIES, failures: {} });
    for (const each of traffic.udp)
      expect(await each.traffic.stop()).toMatchObject({ goesOn: true });
    for (const { traffic: ping } of traffic.pings) {
      const { last } = ping;
      await lab.waitFor("further echo replies", () => ping.last > last + 1);
      await ping.stop();
    }
    for (const id of lab.nodes) lab.exec(`node${id}`, ["nft", "delete", "table", "inet", "site"]);
    await fate.ends(lab);
    await atRest(lab);
  });
});
