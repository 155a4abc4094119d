/**
 * `shardwall hash`: where would this address or tuple go? Needs no running node and no
 * configuration.
 */
import { Command } from "commander";
import { parsePorts } from "../config/address.js";
import { type Bound, BUCKETS, SEED, TOTAL_NODES } from "../config/limits.js";
import type { HashMode } from "../config/types.js";
import { BucketHash } from "../packet/flow/bucket.js";
import { type PortRange, PortSlices } from "../state/port-slices.js";
import { CliError } from "./error.js";
import { print, table } from "./output.js";
import { parseTuple } from "./tuple.js";

const MODES: readonly string[] = ["tuple", "source", "xt-cluster"] satisfies HashMode[];

const EXAMPLE = `
A tuple is PROTOCOL,SOURCE:PORT,DESTINATION:PORT, or one line of conntrack -L in quotes.
Buckets count from 0. In mode xt-cluster the bucket is the node number minus 1. With --ports, the
slice of a translation's ports that the bucket has is shown too.

Examples:
  $ shardwall hash --mode tuple --seed 0xdeadbeef tcp,10.0.0.1:1234,192.0.2.1:80
  $ shardwall hash --mode tuple 'icmp src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=77'
  $ shardwall hash --mode tuple --ports 1024-65535 tcp,10.0.0.1:1234,192.0.2.1:80
  $ shardwall hash --mode xt-cluster --seed 0xdeadbeef --total-nodes 3 10.0.0.1 2001:db8::1
`;

/** Options as typed. */
interface HashOptions {
  readonly mode?: string;
  readonly seed: string;
  readonly totalNodes?: string;
  readonly buckets?: string;
  readonly ports?: string;
  readonly json?: boolean;
}

/** One line of `--json`. */
export interface HashResult {
  readonly input: string;
  /** uint32 */
  readonly hash: number;
  /** From 0. */
  readonly bucket: number;
  /** With `--ports`: first and last port of the bucket's slice. */
  readonly ports?: PortRange;
}

/** The sub-command. */
export function hashCommand(): Command {
  return new Command("hash")
    .description("show the hash and the bucket of addresses or tuples")
    .argument("[input...]", "addresses or tuples")
    .option("--mode <mode>", `how to hash: ${MODES.join(", ")} (required)`)
    .option("--seed <number>", "decimal or 0x", "0")
    .option("--total-nodes <number>", "nodes of the iptables cluster, with --mode xt-cluster")
    .option("--buckets <number>", `power of two, ${BUCKETS.fallback} unless given`)
    .option("--ports <first-last>", "ports of a translation")
    .option("--json", "one JSON object per input and line")
    .addHelpText("after", EXAMPLE)
    .action((inputs: string[], options: HashOptions) => {
      const hash = hasherOf(options);
      if (inputs.length === 0) throw new CliError("nothing to hash: give an address or a tuple", 2);
      const slices = slicesOf(options, hash.buckets);
      const results = inputs.map((input) => hashInput(hash, slices, input));
      print(options.json === true ? lines(results) : columns(results, options.mode));
    });
}

/** @throws CliError with exit code 2 for options that contradict each other or the limits */
function hasherOf(options: HashOptions): BucketHash {
  const mode = options.mode;
  if (mode === undefined || !MODES.includes(mode)) {
    throw new CliError(`--mode ${mode ?? "is missing"}; allowed: ${MODES.join(", ")}`, 2);
  }
  const seed = numberOf("--seed", options.seed, SEED);
  return new BucketHash({ mode: mode as HashMode, seed, buckets: bucketsOf(options, mode) });
}

function bucketsOf(options: HashOptions, mode: string): number {
  if (mode === "xt-cluster") {
    if (options.buckets !== undefined) {
      throw new CliError("--buckets does not go with --mode xt-cluster; use --total-nodes", 2);
    }
    if (options.totalNodes === undefined) {
      throw new CliError("--mode xt-cluster needs --total-nodes", 2);
    }
    return numberOf("--total-nodes", options.totalNodes, TOTAL_NODES);
  }
  if (options.totalNodes !== undefined) {
    throw new CliError("--total-nodes needs --mode xt-cluster; use --buckets", 2);
  }
  const buckets = numberOf("--buckets", options.buckets ?? String(BUCKETS.fallback), BUCKETS);
  if ((buckets & (buckets - 1)) !== 0) {
    throw new CliError(`--buckets ${buckets} is not a power of two`, 2);
  }
  return buckets;
}

function slicesOf({ ports }: HashOptions, buckets: number): PortSlices | null {
  if (ports === undefined) return null;
  const range = parsePorts(ports);
  if (range === null) throw new CliError(`--ports ${ports}; allowed: first-last, 1-65535`, 2);
  const slices = new PortSlices(range, buckets);
  if (slices.width > 0) return slices;
  throw new CliError(`--ports ${ports} are too few; allowed: ${buckets} ports or more`, 2);
}

/** A decimal or 0x number within `bound`. */
function numberOf(option: string, text: string, bound: Bound): number {
  const value = /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : Number.NaN;
  if (value >= bound.min && value <= bound.max) return value;
  throw new CliError(`${option} ${text}; allowed: ${bound.min}-${bound.max}, decimal or 0x`, 2);
}

function hashInput(hasher: BucketHash, slices: PortSlices | null, input: string): HashResult {
  const { isTuple, packet } = parseTuple(input);
  if (!isTuple && hasher.symmetric) {
    throw new CliError(
      `'${input}' is an address alone; mode tuple hashes tuples: tcp,10.0.0.1:1234,192.0.2.1:80`,
      2,
    );
  }
  const hash = hasher.hash(packet);
  const bucket = hasher.bucketOf(hash);
  return { input, hash, bucket, ...(slices === null ? {} : { ports: slices.of(bucket) }) };
}

function lines(results: readonly HashResult[]): string {
  return results.map((result) => JSON.stringify(result)).join("\n");
}

/** In mode xt-cluster the node number stands beside the bucket: it is what iptables users know. */
function columns(results: readonly HashResult[], mode: string | undefined): string {
  const withNode = mode === "xt-cluster";
  const withPorts = results[0]?.ports !== undefined;
  const titles = [...(withNode ? ["NODE"] : []), ...(withPorts ? ["PORTS"] : [])];
  const head = ["INPUT", "HASH", "BUCKET", ...titles];
  return table(
    head,
    results.map(({ input, hash, bucket, ports }) => [
      input,
      `0x${hash.toString(16).padStart(8, "0")}`,
      bucket,
      ...(withNode ? [bucket + 1] : []),
      ...(ports === undefined ? [] : [ports.join("-")]),
    ]),
  );
}
