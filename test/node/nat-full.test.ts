/** What happens to a flow whose bucket has no port left: nobody else's port is ever taken. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { LAB_HASH } from "../../src/demo/node-process.js";
import { INSIDE, OUTSIDE } from "../../src/demo/topology.js";
import {
  atRest,
  idsInto,
  logged,
  portsInto,
  sleep,
  startNodes,
  TCP,
  takenOver,
} from "../fixture/cluster.js";
import { SURVIVORS, VICTIM } from "../fixture/fates.js";
import { rootOnly } from "../fixture/netns.js";
import { flowsAt, REPLICATED_MS, STREAM_PORT, StreamEnd } from "../fixture/streams.js";

/** Two ports for each bucket. */
const WIDTH = 2;
const PORTS = `20000-${20_000 + WIDTH * LAB_HASH.buckets - 1}`;
const OTHER_PORTS = `30000-${30_000 + WIDTH * LAB_HASH.buckets - 1}`;
const [DROPPED, REJECTED] = INSIDE.clients4;
const [REJECTED6] = INSIDE.clients6;
const rule = (source: string, ports: string, full: string) => ({
  out: "eth2",
  source,
  ports,
  full,
});
const NAT = {
  nat: [
    rule(`${DROPPED}/32`, PORTS, "drop"),
    rule(`${REJECTED}/32`, OTHER_PORTS, "reject"),
    rule(`${REJECTED6}/128`, PORTS, "reject"),
  ],
};

rootOnly("a slice without a free port", () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab, lab.nodes, NAT);
    await StreamEnd.serve(lab);
    await atRest(lab);
  });
  afterAll(() => lab?.close());

  const ends = (localAddress: string) => ({
    host: localAddress.includes(":") ? OUTSIDE.server6 : OUTSIDE.server4,
    localAddress,
  });

  /** Ports of a client whose connections to the server fall into one bucket of a node. */
  async function portsOfOneBucket(id: number, client: string, count: number, skip = 0) {
    const [first] = (await lab.status(id)).range[0] as readonly [number, number];
    const bucket = first + skip;
    const { host: to, localAddress: from } = ends(client);
    return portsInto([[bucket, bucket]], count, { protocol: TCP, port: STREAM_PORT, from, to });
  }

  const open = (client: string, localPorts: readonly number[]) =>
    new StreamEnd(lab, "client", "idle", { ...ends(client), localPorts });

  const refusals = async (id: number) => (await lab.status(id)).packets.kernel.noPort;

  test.each([
    ["drop: the client waits", DROPPED, /no connection/],
    ["reject: the client is told", REJECTED, /ECONNREFUSED/],
    ["reject with IPv6", REJECTED6, /ECONNREFUSED/],
  ])("%s", async (_, client, failure) => {
    const ports = await portsOfOneBucket(2, client, WIDTH + 1);
    const before = await refusals(2);
    const held = open(client, ports.slice(0, WIDTH));
    expect(await held.next()).toEqual({ open: WIDTH });
    await expect(open(client, ports.slice(WIDTH)).next()).rejects.toThrow(failure);
    await lab.waitFor("count of refused flows", async () => (await refusals(2)) > before);
    const [elsewhere] = await portsOfOneBucket(2, client, 1, 1);
    expect(await open(client, [elsewhere as number]).next()).toEqual({ open: 1 });
    expect(await held.say("again")).toMatchObject({ answered: WIDTH });
  });

  test("the log says so, once", async () => {
    await logged(lab, 2, /no free port in the slice/);
    expect(lab.node(2).log.filter((line) => /no free port/.test(line))).toHaveLength(1);
  });

  test("reject: a ping is told, and counts by itself", async () => {
    const [first] = (await lab.status(2)).range[0] as readonly [number, number];
    const ids = idsInto([[first, first]], WIDTH + 1, ends(REJECTED));
    const said = ids.map((id) => {
      const argv = ["-c1", "-W1", "-e", String(id), "-I", REJECTED, OUTSIDE.server4];
      return lab.exec("client", ["sh", "-c", `ping ${argv.join(" ")} || true`]);
    });
    expect(said.map((text) => /1 received/.test(text))).toEqual([true, true, false]);
    expect(said.at(-1)).toContain("Packet filtered");
  });

  test("after a takeover nobody gets a port that is in use", async () => {
    const ports = await portsOfOneBucket(VICTIM, DROPPED, WIDTH + 1, 5);
    const held = open(DROPPED, ports.slice(0, WIDTH));
    expect(await held.next()).toEqual({ open: WIDTH });
    await sleep(REPLICATED_MS);
    const failed = async () => {
      const statuses = await Promise.all(SURVIVORS.map((id) => lab.status(id)));
      return statuses.reduce((sum, { packets }) => sum + packets.kernel.insertFailed, 0);
    };
    const before = await failed();
    lab.node(VICTIM).kill("SIGKILL");
    await takenOver(lab, SURVIVORS);
    await expect(open(DROPPED, ports.slice(WIDTH)).next()).rejects.toThrow(/no connection/);
    expect(await failed()).toBeGreaterThan(before);
    expect(await held.say("again")).toMatchObject({ answered: WIDTH });
  });

  test("no translated port was ever used twice", async () => {
    const flows = (await Promise.all(SURVIVORS.map((id) => flowsAt(lab, id)))).flat();
    const users = new Map<string, Set<string>>();
    for (const { protocol, original, reply } of flows) {
      const tuple = `${protocol} ${JSON.stringify(reply)}`;
      const known = users.get(tuple) ?? new Set();
      users.set(tuple, known.add(JSON.stringify(original)));
    }
    expect(users.size).toBeGreaterThan(WIDTH);
    expect([...users.values()].filter(({ size }) => size > 1)).toEqual([]);
  });
});
