/** Nodes of shardwall in a lab. */
import { unrest } from "../../dist/demo/convergence.js";

const CONVERGE_MS_MAX = 30_000;

/** Starts all nodes of a lab; resolves when they share the buckets and have all flows. */
export async function startShardwall(lab, overrides) {
  for (const id of lab.nodes) lab.startNode(id, overrides);
  const settled = async () => {
    const ended = lab.nodes.map((id) => lab.node(id)).find(({ running }) => !running);
    if (ended) throw new Error(`node ${ended.id} ended: ${ended.log.at(-1) ?? "no word"}`);
    return unrest(await lab.statuses(), lab.nodes) === null;
  };
  await lab.waitFor("cluster at rest", settled, CONVERGE_MS_MAX);
}
