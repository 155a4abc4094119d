/**
 * Mode xt-cluster against the `cluster` match of the kernel this test runs on, not against a copy
 * of its code. Needs root and xt_cluster; everything happens in a namespace that ends with the
 * test.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parseTuple } from "../../src/cli/tuple.js";
import { BucketHash } from "../../src/packet/flow/bucket.js";

const PROBE = fileURLToPath(new URL("../fixture/xt-cluster-probe.mjs", import.meta.url));
const ADDRESSES = 250;
const TOTALS = Array.from({ length: 31 }, (_, at) => at + 2);
const SEEDS = [0, 0xdeadbeef, 0xffffffff];

interface Row {
  readonly source: string;
  readonly seed: number;
  readonly total: number;
  /** From 1; 0 where no rule matched. */
  readonly node: number;
}

/** A fixed sequence of 32-bit numbers (Numerical Recipes' generator), so that failures repeat. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state;
  }
}

/** Unicast IPv4 addresses outside of 0/8, 10/8 (the target's) and 127/8. */
function sources4(): string[] {
  const next = numbers(1);
  const addresses = new Set<string>();
  while (addresses.size < ADDRESSES) {
    const word = next.next().value;
    const first = 11 + ((word >>> 24) % 100);
    addresses.add(`${first}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`);
  }
  return [...addresses];
}

/** Global unicast addresses; each second one shares its first 32 bits with the one before. */
function sources6(): string[] {
  const next = numbers(2);
  const hex = (word: number) => word.toString(16);
  return Array.from({ length: ADDRESSES / 2 }).flatMap(() => {
    const word = next.next().value;
    const head = `${hex(0x2000 | ((word >>> 16) & 0x1fff))}:${hex((word & 0xffff) | 1)}`;
    return [`${head}::1`, `${head}:${hex((next.next().value >>> 16) | 1)}::2`];
  });
}

function missing(): string | null {
  if (process.getuid?.() !== 0) return "needs root";
  for (const program of ["unshare", "iptables-restore", "ip6tables-restore", "conntrack"]) {
    if (spawnSync("which", [program]).status !== 0) return `needs the program ${program}`;
  }
  const rule = "iptables -A OUTPUT -m cluster --cluster-total-nodes 2 --cluster-local-node 1";
  const trial = spawnSync("unshare", ["-n", "sh", "-c", `${rule} --cluster-hash-seed 1 -j DROP`]);
  return trial.status === 0 ? null : `needs the cluster match: ${trial.stderr}`;
}

function askKernel(): Row[] {
  const question = {
    total: TOTALS,
    seeds: SEEDS,
    sources4: sources4(),
    sources6: sources6(),
  };
  const probe = spawnSync("unshare", ["-n", process.execPath, PROBE], {
    input: JSON.stringify(question),
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (probe.status !== 0) throw new Error(`the probe failed: ${probe.stderr}`);
  return (JSON.parse(probe.stdout) as { rows: Row[] }).rows;
}

const reason = missing();
const suffix = reason === null ? "" : ` (SKIPPED: ${reason})`;

describe.skipIf(reason !== null)(`xt-cluster equals the running kernel${suffix}`, () => {
  test("2 to 32 nodes, three seeds, IPv4 and IPv6", { timeout: 120_000 }, () => {
    const rows = askKernel();
    expect(rows.length).toBe(2 * ADDRESSES * TOTALS.length * SEEDS.length);
    const wrong = rows.filter(({ source, seed, total, node }) => {
      const hash = new BucketHash({ mode: "xt-cluster", seed, buckets: total });
      return hash.bucketOf(hash.hash(parseTuple(source).packet)) + 1 !== node;
    });
    expect(wrong).toEqual([]);
    // The answers are no constant: each node of the largest cluster was hit.
    expect(new Set(rows.filter((row) => row.total === 32).map((row) => row.node)).size).toBe(32);
  });
});
