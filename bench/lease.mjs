/**
 * What a renewal of the kernel's lease costs, beside the same change made by the `nft` program.
 *
 *     npm run build && node bench/lease.mjs [RENEWALS]
 *
 * Runs in a network namespace of its own: as root, or as an ordinary user where user namespaces are
 * allowed. Times are wall-clock milliseconds of one thread; compare the ratio between machines.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { performance } from "node:perf_hooks";
import { KernelLease } from "../dist/kernel/lease.js";

const INSIDE = "SHARDWALL_BENCH_INSIDE";
const TABLE = "shardwall_bench";
const MARK_MASK = 0xffff0000;
const LEASE_MS = 150;
/** What a node holds after a takeover: its own run and a piece of another's. */
const RUNS = [
  [0, 84],
  [100, 120],
  [170, 180],
];
const NFT_RUNS = 50;

const sets = ["ip", "ip6"].map((family) => `${family} ${TABLE}`);
const nft = (text) => execFileSync("nft", ["-f", "-"], { input: text });

function prepare() {
  const set = "set leased {\ntype mark\nflags interval, timeout\n}";
  nft(sets.map((table) => `table ${table} {\n${set}\n}\n`).join(""));
}

/** The same renewal in the language of `nft`: both families in one transaction. */
function renewalText() {
  const mark = (bucket) => ((bucket + 1) << 16) >>> 0;
  const elements = RUNS.map(
    ([first, last]) => `${mark(first)}-${mark(last)} timeout ${LEASE_MS}ms`,
  ).join(", ");
  return sets
    .map((table) => `flush set ${table} leased\nadd element ${table} leased { ${elements} }\n`)
    .join("");
}

/** A figure counts only if the kernel holds what was leased. */
function checkLease() {
  for (const table of sets) {
    const argv = ["list", "set", ...table.split(" "), "leased"];
    const leased = execFileSync("nft", argv, { encoding: "utf8" });
    if (leased.split("timeout ").length - 1 !== RUNS.length) throw new Error(leased);
  }
}

function timed(times, action) {
  const taken = Array.from({ length: times }, () => {
    const start = performance.now();
    action();
    return performance.now() - start;
  });
  taken.sort((a, b) => a - b);
  const at = (share) => taken[Math.min(times - 1, Math.floor(share * times))];
  return { p50: at(0.5), p99: at(0.99) };
}

function report(name, { p50, p99 }, times) {
  const figures = `p50 ${p50.toFixed(3)} ms, p99 ${p99.toFixed(3)} ms, ${times} times`;
  console.log(`${name.padEnd(22)} ${figures}`);
}

function measure(renewals) {
  prepare();
  const lease = new KernelLease(TABLE, MARK_MASK, RUNS.length);
  const renew = () => lease.renew(RUNS, LEASE_MS);
  timed(Math.ceil(renewals / 10), renew); // warm: the compiler has seen it
  const netlink = timed(renewals, renew);
  checkLease();
  const text = renewalText();
  const program = timed(NFT_RUNS, () => nft(text));
  lease.close();
  report("renewal over netlink", netlink, renewals);
  report("renewal by `nft`", program, NFT_RUNS);
  console.log(`ratio of the medians   1 : ${(program.p50 / netlink.p50).toFixed(0)}`);
}

if (process.env[INSIDE] === "1") {
  measure(Number(process.argv[2] ?? 2000));
} else {
  const user = process.getuid() === 0 ? [] : ["--user", "--map-root-user"];
  const argv = [...user, "--net", process.execPath, ...process.argv.slice(1)];
  const env = { ...process.env, [INSIDE]: "1" };
  const { status, error } = spawnSync("unshare", argv, { stdio: "inherit", env });
  if (error) throw error;
  process.exitCode = status ?? 1;
}
