/** Client flows that fall into a chosen range, computed with the nodes' own hash. */
import { parseTuple } from "../../dist/cli/tuple.js";
import { LAB_HASH } from "../../dist/demo/node-process.js";
import { portsInto } from "../../dist/demo/ports.js";
import { OUTSIDE } from "../../dist/demo/topology.js";
import { BucketHash } from "../../dist/packet/flow/bucket.js";

/** IANA numbers. */
export const TCP = 6;
export const UDP = 17;

const FIRST_PORT = 10_000;

/**
 * @param aim `addresses` of clients, `protocol`, `port` of the server, `first` source port
 * @returns `count` flows `{ address, port }` whose bucket is in `range`, addresses in turn; more are
 *   a continuation of fewer
 * @throws Error where the addresses do not have so many
 */
export function flowsInto(range, count, { addresses, first = FIRST_PORT, ...aim }) {
  const each = Math.ceil(count / addresses.length);
  const ports = addresses.map((from) => portsInto(range, each, { ...aim, from, first }));
  if (ports.some((found) => found.length < each)) throw new Error(`no ${count} flows in a range`);
  const flows = Array.from({ length: each }, (_, at) =>
    addresses.map((address, index) => ({ address, port: ports[index][at] })),
  );
  return flows.flat().slice(0, count);
}

/** Number of the node, from 1, that the `cluster` match gives a client's connections to. */
export function clusterMatchNode(address, nodes) {
  const { seed } = LAB_HASH;
  const hash = new BucketHash({ mode: "xt-cluster", seed, buckets: nodes });
  const { packet } = parseTuple(`${UDP},${address}:1,${OUTSIDE.server4}:1`);
  return hash.bucketOf(hash.hash(packet)) + 1;
}

/** As bench/c/udp.c reads them. */
export const asLines = (flows) => flows.map(({ address, port }) => `${address} ${port}\n`).join("");

/** As bench/c/flood.c reads them. */
export const asList = (flows) => flows.map(({ address, port }) => `${address}:${port}`).join(",");
