/**
 * A protocol with a second connection that only its control connection announces. The firewall lets
 * in no other: what passes, passes because the kernel of the node that carries it expected it.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../../src/cli/client.js";
import { Lab } from "../../src/demo/lab.js";
import { LAB_HASH } from "../../src/demo/node-process.js";
import {
  atRest,
  portsInto,
  shardwall,
  sleep,
  startNodes,
  TCP,
  takenOver,
} from "../fixture/cluster.js";
import {
  FTP_CLIENT,
  FTP_PORT,
  FtpSite,
  LARGE,
  SMALL,
  sha256Of,
  withoutFtp,
} from "../fixture/ftp.js";
import { rootOnly } from "../fixture/netns.js";
import { flowsAt, REPLICATED_MS } from "../fixture/streams.js";

const DONE = { code: 226, isRight: true };
/** From one transfer of a session to the next: time enough for a node to die and to be replaced. */
const PAUSE_MS = 4000;
const KINDS = [{ isActive: false }, { isActive: true }];

interface Mode {
  readonly mode: string;
  readonly buckets: number;
  readonly hash: Readonly<Record<string, unknown>>;
  readonly nat?: readonly object[];
  readonly sync?: object;
}

const TUPLE = { mode: "tuple", buckets: 256, hash: { mode: "tuple", seed: LAB_HASH.seed } };
const SNAT = ["192.168.0.0/24", "2001:db8:a::/64"].map((source) => ({ out: "eth2", source }));

const MODES: readonly Mode[] = [
  TUPLE,
  { ...TUPLE, mode: "tuple, translated", nat: SNAT },
  { ...TUPLE, mode: "tuple, cold replicas", sync: { replicas: "cold" } },
  { mode: "source", buckets: 256, hash: { mode: "source", seed: 1 } },
  { mode: "xt-cluster", buckets: 3, hash: { mode: "xt-cluster", seed: 1, totalNodes: 3 } },
];

describe.each(MODES)(`hash mode $mode${withoutFtp}`, ({ buckets, hash, nat, sync }) => {
  (withoutFtp === "" ? rootOnly : describe.skip)("FTP", () => {
    const overrides = { cluster: { hash, buckets }, ...(nat && { nat }), ...(sync && { sync }) };
    let lab: Lab;
    let site: FtpSite;
    let nextPort = 30_000;

    beforeAll(async () => {
      lab = Lab.open(3);
      startNodes(lab, lab.nodes, overrides);
      site = await FtpSite.open(lab);
      await atRest(lab);
    });
    afterAll(async () => {
      site?.close();
      await lab?.close();
    });

    /** A port whose control connection `id` carries, where that depends on the port at all. */
    async function portOf(id: number): Promise<number> {
      const { range } = await lab.status(id);
      const aim = { protocol: TCP, port: FTP_PORT, from: FTP_CLIENT, first: nextPort };
      const [port] = hash.mode === "tuple" ? portsInto(range, 1, aim) : [nextPort];
      nextPort = port + 40;
      return port;
    }

    /** Bucket and owner of the control connection, once all nodes agree, and of its data. */
    async function whereabouts(localPort: number) {
      const found = new Set<string>();
      for (const id of lab.nodes) {
        const flows = await flowsAt(lab, id);
        const control = flows.find(({ original }) => original.sport === localPort);
        const data = flows.filter(({ original: { sport, dport }, state }) => {
          return state === "ESTABLISHED" && sport !== localPort && dport !== FTP_PORT;
        });
        found.add(
          JSON.stringify([control?.bucket, control?.owner, ...data.map((each) => each.bucket)]),
        );
      }
      return [...found];
    }

    test.each(KINDS)(
      "active $isActive: the data goes where its control connection goes",
      async (kind) => {
        for (const id of hash.mode === "tuple" ? lab.nodes : [1]) {
          const localPort = await portOf(id);
          const session = site.session([LARGE.name], { localPort, ...kind });
          await lab.waitFor("first bytes", () => session.arrived(0) > 0);
          await sleep(REPLICATED_MS);
          const found = await whereabouts(localPort);
          expect(found).toHaveLength(1);
          const [control, owner, ...data] = JSON.parse(found[0]);
          expect(data).toEqual([control]);
          if (hash.mode === "tuple") expect(owner).toBe(id);
          expect(await session.transfer(0)).toMatchObject(DONE);
        }
      },
    );

    test.each(KINDS)("active $isActive: the same over IPv6", async (kind) => {
      const localPort = await portOf(1);
      const session = site.session([SMALL.name, SMALL.name], { localPort, ...kind, isIpv6: true });
      expect(await session.transfer(1)).toMatchObject(DONE);
    });

    test("the node that carries everything is killed", async () => {
      const ports: number[] = [];
      for (let count = 0; count < 6; count++) ports.push(await portOf(2));
      const running = KINDS.map((kind, at) =>
        site.session([LARGE.name], { localPort: ports[at], ...kind }),
      );
      const idle = KINDS.map((kind, at) => {
        const names = [SMALL.name, LARGE.name];
        return site.session(names, { localPort: ports[2 + at], ...kind, everyMs: PAUSE_MS });
      });
      const announced = await Promise.all(KINDS.map((_, at) => site.client(ports[4 + at])));
      for (const [at, client] of announced.entries()) {
        expect((await client.ask({ do: "announce", ...KINDS[at] })).reply).toMatch(/^2/);
      }
      for (const session of running) await lab.waitFor("bytes", () => session.arrived(0) > 0);
      for (const session of idle) expect(await session.transfer(0)).toMatchObject(DONE);
      await sleep(REPLICATED_MS);
      const flows = await flowsAt(lab, 1);
      const victims = ports.map(
        (port) => flows.find(({ original }) => original.sport === port)?.owner,
      );
      expect(new Set(victims).size).toBe(1);
      const victim = victims[0] as number;
      const survivors = lab.nodes.filter((id) => id !== victim);
      for (const id of lab.nodes) {
        const expected = lab.exec(`node${id}`, ["conntrack", "-L", "expect"]).trim().split("\n");
        expect(expected).toHaveLength(2);
      }

      lab.node(victim).kill("SIGKILL");
      await takenOver(lab, survivors);
      for (const client of announced) {
        expect(await client.ask({ do: "fetch", name: SMALL.name })).toMatchObject({
          bytes: SMALL.bytes,
          sha256: sha256Of(SMALL),
        });
      }
      for (const session of running) expect(await session.transfer(0)).toMatchObject(DONE);
      for (const session of idle) expect(await session.transfer(1)).toMatchObject(DONE);
      startNodes(lab, [victim], overrides);
      await atRest(lab);
    });

    test("a node that was drained and is back looks into control connections again", async () => {
      const ports = [await portOf(2), await portOf(2)];
      const names = [SMALL.name, SMALL.name, SMALL.name];
      const sessions = KINDS.map((kind, at) => {
        return site.session(names, { localPort: ports[at], ...kind, everyMs: PAUSE_MS });
      });
      const all = (index: number) => Promise.all(sessions.map((each) => each.transfer(index)));
      expect(await all(0)).toMatchObject([DONE, DONE]);
      await sleep(REPLICATED_MS);
      const flows = await flowsAt(lab, 1);
      const owner = flows.find(({ original }) => original.sport === ports[0])?.owner as number;
      await ask(lab.node(owner).files.socket, "POST", "/v1/drain");
      await takenOver(
        lab,
        lab.nodes.filter((id) => id !== owner),
      );
      expect(await all(1)).toMatchObject([DONE, DONE]);
      shardwall(lab, owner, "join");
      await atRest(lab);
      expect(await all(2)).toMatchObject([DONE, DONE]);
    });
  });
});
