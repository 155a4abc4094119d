/** What happens to a flow whose bucket has no port left: nobody else's port is ever taken. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../../src/cli/client.js";
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
import {
  flowsAt,
  mirrorsAgree,
  REPLICATED_MS,
  STREAM_PORT,
  StreamEnd,
} from "../fixture/streams.js";

/** Two ports for each bucket. */
const WIDTH = 2;
const PORTS = `20000-${20_000 + WIDTH * LAB_HASH.buckets - 1}`;
const OTHER_PORTS = `30000-${30_000 + WIDTH * LAB_HASH.buckets - 1}`;
/** Sixteen ports for each bucket: two nodes that choose alone would soon choose the same. */
const MOVING_WIDTH = 16;
const MOVING_PORTS = `40000-${40_000 + MOVING_WIDTH * LAB_HASH.buckets - 1}`;
/** Connections that are opened at once, and how many times. */
const AT_ONCE = 40;
const WAVES = 9;
const [DROPPED, REJECTED, MOVING] = INSIDE.clients4;
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
    rule(`${MOVING}/32`, MOVING_PORTS, "drop"),
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

  /** The first bucket of a node. A busy machine may have taken its range for a moment. */
  async function bucketOfNode(id: number): Promise<number> {
    await atRest(lab);
    return (await lab.status(id)).range[0]?.[0] as number;
  }

  /** Ports of a client whose connections to the server fall into one bucket of a node. */
  async function portsOfOneBucket(id: number, client: string, count: number, skip = 0) {
    const bucket = (await bucketOfNode(id)) + skip;
    const { host: to, localAddress: from } = ends(client);
    return portsInto([[bucket, bucket]], count, { protocol: TCP, port: STREAM_PORT, from, to });
  }

  /**
   * Ports of all buckets, in waves, whose connections begin the search for a free port at places of
   * their own: one that another node has given out just before may be given out twice (GUARANTEES).
   */
  function portsOfWaves(client: string): number[][] {
    const { host: to, localAddress: from } = ends(client);
    const aim = { protocol: TCP, port: STREAM_PORT, from, to };
    const buckets = Array.from({ length: LAB_HASH.buckets }, (_, bucket) => bucket);
    const all = buckets.flatMap((bucket) => {
      const ports = portsInto([[bucket, bucket]], 4, aim);
      return ports.filter((port, at) => {
        return ports.findIndex((other) => (port - other) % MOVING_WIDTH === 0) === at;
      });
    });
    return Array.from({ length: WAVES }, (_, wave) =>
      all.filter((_, index) => index % WAVES === wave).slice(0, AT_ONCE),
    );
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
    const bucket = await bucketOfNode(2);
    const ids = idsInto([[bucket, bucket]], WIDTH + 1, ends(REJECTED));
    const said = ids.map((id) => {
      const argv = ["-c1", "-W1", "-e", String(id), "-I", REJECTED, OUTSIDE.server4];
      return lab.exec("client", ["sh", "-c", `ping ${argv.join(" ")} || true`]);
    });
    expect(said.map((text) => /1 received/.test(text))).toEqual([true, true, false]);
    expect(said.at(-1)).toContain("Packet filtered");
  });

  test("connections opened while buckets move get ports of their own", async () => {
    const waves = portsOfWaves(MOVING);
    expect(waves.map(({ length }) => length)).toEqual(waves.map(() => AT_ONCE));
    const opened: StreamEnd[] = [];
    const openSome = async () => {
      opened.push(open(MOVING, waves[opened.length] as number[]));
      await sleep(150);
    };
    await openSome();
    await ask(lab.node(VICTIM).files.socket, "POST", "/v1/drain");
    for (let round = 0; round < 4; round++) await openSome();
    await takenOver(lab, SURVIVORS);
    await ask(lab.node(VICTIM).files.socket, "POST", "/v1/join");
    for (let round = 0; round < 4; round++) await openSome();
    await atRest(lab);
    for (const end of opened) expect(await end.next()).toEqual({ open: AT_ONCE });
    await mirrorsAgree(lab);
    const flows = (await flowsAt(lab, 1)).filter(({ original }) => original.src === MOVING);
    expect(flows).toHaveLength(AT_ONCE * WAVES);
    expect(new Set(flows.map(({ reply }) => reply.dport)).size).toBe(flows.length);
    for (const end of opened) expect(await end.say("again")).toMatchObject({ answered: AT_ONCE });
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
