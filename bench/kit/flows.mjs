/** Client flows that fall into a chosen range, computed with the nodes' own hash. */
import { parseTuple } from "../../dist/cli/tuple.js";
import { LAB_HASH } from "../../dist/demo/node-process.js";
import { OUTSIDE } from "../../dist/demo/topology.js";
import { SRC_PORT } from "../../dist/packet/dissect/packet.js";
import { BucketHash } from "../../dist/packet/flow/bucket.js";

const FIRST_PORT = 10_000;
const LAST_PORT = 60_000;

/**
 * @param aim `addresses` of clients, `protocol`, `port` of the server, `from` the first source port
 * @returns the first `count` flows `{ address, port }` whose bucket is in `range`
 * @throws Error where the addresses do not have so many
 */
export function flowsInto(range, count, { addresses, protocol, port: to, from = FIRST_PORT }) {
  const hash = new BucketHash(LAB_HASH);
  const found = [];
  for (let port = from; port < LAST_PORT; port++) {
    for (const address of addresses) {
      const { packet } = parsed(protocol, address, to);
      packet[SRC_PORT] = port;
      const bucket = hash.bucketOf(hash.hash(packet));
      if (range.some(([first, last]) => bucket >= first && bucket <= last))
        found.push({ address, port });
      if (found.length === count) return found;
    }
  }
  throw new Error(`no ${count} flows in these buckets`);
}

const tuples = new Map();

/** The dissected packet of a flow, kept: its port is overwritten for each. */
function parsed(protocol, address, to) {
  const key = `${protocol},[${address}]:1,[${OUTSIDE.server4}]:${to}`;
  if (!tuples.has(key)) tuples.set(key, parseTuple(key));
  return tuples.get(key);
}

/** Number of the node, from 1, that the `cluster` match gives a client's connections to. */
export function clusterMatchNode(address, nodes) {
  const { seed } = LAB_HASH;
  const hash = new BucketHash({ mode: "xt-cluster", seed, buckets: nodes });
  const { packet } = parsed("udp", address, 1);
  return hash.bucketOf(hash.hash(packet)) + 1;
}

/** As bench/c/udp.c reads them. */
export const asLines = (flows) => flows.map(({ address, port }) => `${address} ${port}\n`).join("");

/** As bench/c/flood.c reads them. */
export const asList = (flows) => flows.map(({ address, port }) => `${address}:${port}`).join(",");
