/** New HTTP connections per second through 1 to 8 nodes on one machine: all see all packets. */
import { alternate, rowsOf } from "./kit/figures.mjs";
import { hitsRound } from "./kit/hits-round.mjs";
import { SERVER } from "./kit/http.mjs";
import { CLUSTER_MATCH, SHARDWALLS } from "./kit/nodes.mjs";
import { target } from "./kit/print.mjs";
import { needTools } from "./kit/programs.mjs";

export const about = "HTTP hits through several nodes on one machine, which all see all packets";
export const rounds = 2;
export const needsNamespaces = true;

const SECONDS = 2;

/** Nodes, and least ratio of hits/s to the cluster match's with as many. */
const SIZES = [
  { nodes: 1, limit: null },
  { nodes: 2, limit: null },
  { nodes: 4, limit: 1.3 },
  { nodes: 8, limit: 1.6 },
];

/** The default, and what is meant for this: see CONFIG. */
const OURS = SHARDWALLS.slice(0, 2);

const label = (name, nodes) => `${name}, ${nodes} node${nodes > 1 ? "s" : ""}`;

export async function run({ rounds: times, onRound }) {
  const versions = needTools([SERVER, "iptables", "arptables"]);
  const rows = [];
  const targets = [];
  for (const { nodes, limit } of SIZES) {
    const contestants = [CLUSTER_MATCH, ...OURS].map((each) => ({
      name: label(each.name, nodes),
      run: () => hitsRound(each, nodes, SECONDS),
    }));
    const reference = label(CLUSTER_MATCH.name, nodes);
    const found = rowsOf(await alternate(contestants, times, onRound), reference);
    rows.push(...found);
    if (limit === null) continue;
    const best = Math.max(...found.slice(1).map(({ ratios }) => ratios.hits.median));
    targets.push(target(`${nodes} nodes, hits/s to the cluster match's`, best, "at least", limit));
  }
  return {
    reference: `${CLUSTER_MATCH.name} with as many nodes`,
    units: { hits: "1/s", cpu: "us per hit, whole machine", slow: "% of hits, a packet repeated" },
    rows,
    targets,
    notes: [
      "client, server and nodes share the machine; targets are of the best configuration",
      versions,
    ],
  };
}
