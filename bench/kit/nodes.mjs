/**
 * The contestants that make a cluster of a lab's nodes, each by name: adding one is a line.
 * `start(lab, overrides)` resolves when the nodes forward; everything ends with the lab.
 */
import { startClusterMatch, startRouter } from "./cluster-match.mjs";
import { startShardwall } from "./shardwall.mjs";

export const CLUSTER_MATCH = { name: "cluster match", start: startClusterMatch };

/** No firewall at all, for one node. */
export const ROUTER = { name: "no rules", start: startRouter };

/** What a configuration of shardwall changes of the default. */
const VARIANTS = {
  shardwall: {},
  "shardwall, early drop": { dataplane: { earlyDrop: "tc", offload: "new" } },
  "shardwall, every packet queued": { dataplane: { offload: "none" } },
};

/** A contestant of that name: nodes whose configuration is `overrides` over the lab's. */
export function shardwallOf(name, overrides) {
  return { name, start: (lab, changes = {}) => startShardwall(lab, { ...overrides, ...changes }) };
}

export const SHARDWALLS = Object.entries(VARIANTS).map(([name, overrides]) =>
  shardwallOf(name, overrides),
);
