/**
 * Source address translation by a cluster: each node uses the ports of its own buckets only, and a
 * translated connection outlives its node as any other does.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { LAB_HASH } from "../../src/demo/node-process.js";
import { INSIDE, OUTSIDE } from "../../src/demo/topology.js";
import { PortSlices } from "../../src/state/port-slices.js";
import { atRest, Far, idsInto, sleep, startNodes, takenOver } from "../fixture/cluster.js";
import { PLANNED, SUDDEN, SURVIVORS, Trial, VICTIM } from "../fixture/fates.js";
import { rootOnly } from "../fixture/netns.js";
import {
  ENDS,
  flowsAt,
  mirrorsAgree,
  REPLICATED_MS,
  STREAM_PORT,
  StreamEnd,
} from "../fixture/streams.js";

const PORTS = [10_000, 49_999] as const;
const SLICES = new PortSlices(PORTS, LAB_HASH.buckets);
const INSIDE4 = "192.168.0.0/24";
const INSIDE6 = "2001:db8:a::/64";
const NAT = {
  nat: [INSIDE4, INSIDE6].map((source) => ({ out: "eth2", source, ports: PORTS.join("-") })),
};
const [TO4, TO6] = OUTSIDE.cluster.map((prefix) => prefix.split("/")[0]);
const ENDS6 = { host: OUTSIDE.server6, localAddress: INSIDE.clients6[0] };

/** The server counts and drops whatever was not translated. */
const NOTHING_UNTRANSLATED = `table inet test {
  counter untranslated { }
  chain input {
    type filter hook prerouting priority -500; policy accept;
    ip saddr ${INSIDE4} counter name untranslated drop
    ip6 saddr ${INSIDE6} ip6 daddr != fe80::/10 counter name untranslated drop
  }
}
`;

rootOnly("source address translation", () => {
  let lab: Lab;
  let trial: Trial;

  beforeAll(async () => {
    lab = Lab.open(3);
    lab.exec("server", ["nft", "-f", "-"], NOTHING_UNTRANSLATED);
    startNodes(lab, lab.nodes, NAT);
    await StreamEnd.serve(lab);
    await atRest(lab);
    trial = new Trial(lab, ENDS, 20_000, NAT);
  });
  afterAll(() => lab?.close());

  test("ports are of the slice of the flow's bucket, and none is used twice", async () => {
    const ends = INSIDE.clients4.map((localAddress) => {
      const localPorts = Array.from({ length: 100 }, (_, index) => 50_000 + index);
      return new StreamEnd(lab, "client", "idle", { ...ENDS, localAddress, localPorts });
    });
    for (const end of ends) expect(await end.next()).toEqual({ open: 100 });
    await sleep(REPLICATED_MS);
    await mirrorsAgree(lab);
    for (const id of lab.nodes) {
      const flows = await flowsAt(lab, id);
      const ours = flows.filter(({ original }) => original.dport === STREAM_PORT);
      expect(ours).toHaveLength(400);
      for (const { reply, bucket, owner } of ours) {
        expect(reply).toMatchObject({ src: ENDS.host, sport: STREAM_PORT, dst: TO4 });
        expect(SLICES.bucketOf(reply.dport as number)).toBe(bucket);
        expect(lab.nodes).toContain(owner);
      }
      expect(new Set(ours.map(({ reply }) => reply.dport)).size).toBe(400);
    }
    for (const end of ends) {
      expect(await end.say("again")).toMatchObject({ answered: 100, failures: {} });
      await end.stop().catch(() => null);
    }
  });

  test.each(SUDDEN)("$name: a download and a UDP exchange go on", (fate) => trial.of(fate));

  test("SIGKILL with IPv6", async () => {
    await new Trial(lab, ENDS6, 22_000, NAT).of(SUDDEN[0] as (typeof SUDDEN)[number]);
    const [flow] = (await flowsAt(lab, 1)).filter(({ original }) => original.dst === ENDS6.host);
    expect(flow?.reply.dst).toBe(TO6);
  });

  test("ping goes on when its node dies", async () => {
    const [id] = idsInto((await lab.status(VICTIM)).range, 1, ENDS);
    const argv = ["ping", "-e", String(id), "-i", "0.1", "-w", "4", "-I", ENDS.localAddress];
    const ping = lab.spawn("client", [...argv, "-O", ENDS.host]);
    let said = "";
    ping.stdout?.on("data", (text) => {
      said += text;
    });
    ping.stderr?.resume();
    await sleep(REPLICATED_MS);
    const [flow] = (await flowsAt(lab, 1)).filter(({ original }) => original.id === id);
    expect(flow).toMatchObject({ owner: VICTIM, reply: { dst: TO4 } });
    expect(SLICES.bucketOf(flow?.reply.id as number)).toBe(flow?.bucket);
    lab.node(VICTIM).kill("SIGKILL");
    await takenOver(lab, SURVIVORS);
    const before = said.match(/bytes from/g)?.length as number;
    await lab.waitFor("end of ping", () => ping.exitCode !== null);
    expect(said.match(/bytes from/g)?.length).toBeGreaterThan(before);
    await lab.node(VICTIM).ended;
    startNodes(lab, [VICTIM], NAT);
    await atRest(lab);
  });

  describe("an ICMP error about a translated packet reaches the client", () => {
    test("port unreachable, whichever node carries the flow", async () => {
      // To the server, all of them go to one address.
      lab.exec("server", ["sh", "-c", "echo 0 >/proc/sys/net/ipv4/icmp_ratelimit"]);
      const localPorts = Array.from({ length: 20 }, (_, index) => 60_000 + index);
      const nobody = { ...ENDS, port: 9999, localPorts, everyMs: 50, rounds: 3 };
      const far = new Far(lab, "client", "udp", nobody);
      expect((await far.message()).refused).toBeGreaterThanOrEqual(20);
    });

    test("fragmentation needed", async () => {
      const beyond = "10.99.0.1";
      lab.exec(
        "server",
        ["sh", "-e"],
        `
        echo 1 >/proc/sys/net/ipv4/ip_forward
        ip link add narrow type veth peer name far
        ip link set far up
        ip link set narrow mtu 1000 up
        ip route add ${beyond}/32 dev narrow`,
      );
      for (const id of lab.nodes) {
        const route = ["ip", "route", "add", `${beyond}/32`, "via", OUTSIDE.server4];
        lab.exec(`node${id}`, route);
      }
      const large = { localPorts: [61_000], everyMs: 50, rounds: 3, bytes: 1300 };
      const far = new Far(lab, "client", "udp", { ...ENDS, host: beyond, ...large });
      await far.message();
      expect(lab.exec("client", ["ip", "route", "get", beyond])).toContain("mtu 1000");
    });
  });

  test.each(PLANNED)("$name: a download and a UDP exchange go on", (fate) => trial.of(fate));

  test("no packet has left without translation", () => {
    const counter = lab.exec("server", ["nft", "list", "counter", "inet", "test", "untranslated"]);
    expect(counter).toContain("packets 0 ");
  });
});
