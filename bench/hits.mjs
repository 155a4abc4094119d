/** New HTTP connections per second through one node. */
import { alternate, rowsOf } from "./kit/figures.mjs";
import { hitsRound } from "./kit/hits-round.mjs";
import { SERVER } from "./kit/http.mjs";
import { CLUSTER_MATCH, ROUTER, SHARDWALLS } from "./kit/nodes.mjs";
import { target } from "./kit/print.mjs";
import { needTools } from "./kit/programs.mjs";

export const about = "HTTP hits through one node, each over a new connection, 0-byte objects";
export const rounds = 5;
export const needsNamespaces = true;

const SECONDS = 2;
const NODES = 1;

export async function run({ rounds: times, onRound }) {
  const versions = needTools([SERVER, "iptables", "arptables"]);
  const contestants = [CLUSTER_MATCH, ...SHARDWALLS, ROUTER].map((each) => ({
    name: each.name,
    run: () => hitsRound(each, NODES, SECONDS),
  }));
  const rows = rowsOf(await alternate(contestants, times, onRound), CLUSTER_MATCH.name);
  const best = Math.max(...rows.slice(1, -1).map(({ ratios }) => ratios.hits.median));
  return {
    reference: CLUSTER_MATCH.name,
    units: { hits: "1/s", cpu: "us per hit, whole machine", slow: "% of hits, a packet repeated" },
    rows,
    targets: [target("1 node, hits/s to the cluster match's", best, "at least", 1.2)],
    notes: [
      "client, server and node share the machine; the target is of the best configuration",
      "no rules: the node only routes, without connection tracking; no firewall can be cheaper",
      versions,
    ],
  };
}
