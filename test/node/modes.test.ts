/** Hash modes that know only the opener, on real packets: replies must find their flow's owner. */
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { INSIDE, OUTSIDE, portOf } from "../../src/demo/topology.js";
import { atRest, startNodes } from "../fixture/cluster.js";
import { fixture, rootOnly } from "../fixture/netns.js";

const PORT = "5353";
const ROUNDS = "20";
const MISSED_PORT = "5354";
/** A service that answers at once. */
const MISSED = [OUTSIDE.server4, MISSED_PORT, "0"];

const SOURCE = { buckets: 256, hash: { mode: "source", seed: 1 } };
const XT_CLUSTER = { buckets: 3, hash: { mode: "xt-cluster", seed: 0xdeadbeef, totalNodes: 3 } };
const NAT = ["192.168.0.0/24", "2001:db8:a::/64"].map((source) => ({ out: "eth2", source }));

const MODES = [
  { mode: "source", cluster: SOURCE, nat: [] },
  { mode: "xt-cluster", cluster: XT_CLUSTER, nat: [] },
  { mode: "source, translated", cluster: SOURCE, nat: NAT },
  { mode: "xt-cluster, translated", cluster: XT_CLUSTER, nat: NAT },
];

describe.each(MODES)("hash mode $mode", ({ cluster, nat }) => {
  rootOnly("over UDP", () => {
    let lab: Lab;

    beforeAll(async () => {
      lab = Lab.open(3);
      startNodes(lab, lab.nodes, { cluster, nat, dataplane: { queues: 2 } });
      await atRest(lab);
    });
    afterAll(() => lab?.close());

    test.each([
      ["IPv4", OUTSIDE.server4, [...INSIDE.clients4, INSIDE.probe]],
      ["IPv6", OUTSIDE.server6, INSIDE.clients6],
    ])("each UDP request over %s is answered once", async (_, server, clients) => {
      const echo = lab.spawn("server", ["node", fixture("udp-echo.mjs"), server, PORT]);
      await once(echo.stdout as NodeJS.ReadableStream, "data");
      const argv = ["node", fixture("udp-client.mjs"), server, PORT, ROUNDS, ...clients];
      const report = JSON.parse(lab.exec("client", argv));
      echo.kill("SIGKILL");
      expect(report).toEqual({ sent: report.sent, answered: { 1: report.sent } });
      expect(report.sent).toBe(Number(ROUNDS) * clients.length * 3);
    });

    test.runIf(nat.length === 0)("who missed a request is no second owner for long", async () => {
      const echo = lab.spawn("server", ["node", fixture("udp-echo.mjs"), ...MISSED]);
      await once(echo.stdout as NodeJS.ReadableStream, "data");
      let twice = 0;
      for (const id of lab.nodes) {
        const first = `udp dport ${MISSED_PORT} limit rate 1/hour burst ${INSIDE.clients4.length}`;
        const chain = `oifname "${portOf("inside", id)}" ${first} packets drop`;
        const hook = "type filter hook forward priority 0";
        const table = `table bridge missed { chain first { ${hook}; ${chain}; }; }`;
        lab.exec("switch", ["nft", "-f", "-"], table);
        const argv = ["node", fixture("udp-steady.mjs"), OUTSIDE.server4, MISSED_PORT, "75"];
        const report = JSON.parse(lab.exec("client", [...argv, ...INSIDE.clients4]));
        lab.exec("switch", ["nft", "delete", "table", "bridge", "missed"]);
        for (const answers of Object.values<number[]>(report)) {
          twice += answers.slice(0, 10).filter((count) => count > 1).length;
          expect(answers.slice(50)).toEqual(answers.slice(50).map(() => 1));
        }
      }
      echo.kill("SIGKILL");
      expect(twice).toBeGreaterThan(0); // else there was no second owner at all
    });

    test("clients are spread over the nodes, who refuse each other's replies", async () => {
      const reports = [...(await lab.statuses()).values()];
      const flows = reports.map(({ packets }) => packets.byReason["own-new"] ?? 0);
      expect(flows.filter((count) => count > 0).length).toBeGreaterThan(1);
      const foreign = reports.map(({ packets }) => packets.byReason["foreign-flow"] ?? 0);
      expect(Math.max(...foreign)).toBeGreaterThan(0);
      for (const { packets } of reports) {
        const sum = Object.values(packets.byReason).reduce((total, count) => total + count, 0);
        expect(sum).toBe(packets.seen);
      }
    });
  });
});
