/**
 * The benchmarks: `npm run bench -- NAME [--rounds N] [--json]`.
 *
 * Each compares its contestants in one run, in turn, and prints medians, spreads and ratios. What
 * one sets up it removes. Without a name: the list.
 */
import { parseArgs } from "node:util";
import { isInside, obeyOuter, runInside } from "../dist/demo/sandbox.js";
import { machine } from "./kit/machine.mjs";
import { printReport } from "./kit/print.mjs";

/** Name -> module, each with `about`, `rounds` (by default) and `run(options)`. */
const BENCHES = {
  decide: "./decide.mjs",
  heap: "./heap.mjs",
  memory: "./memory.mjs",
  queue: "./queue.mjs",
  hits: "./hits.mjs",
  foreign: "./foreign.mjs",
  scale: "./scale.mjs",
  sync: "./sync.mjs",
  takeover: "./takeover.mjs",
  gc: "./gc.mjs",
};

const ROUNDS_MAX = 100;

function usage() {
  console.error(`usage: npm run bench -- NAME [--rounds N] [--json]
names: ${Object.keys(BENCHES).join(" ")}`);
  process.exitCode = 2;
}

/** A long run shows that it lives. */
function progress(round, name, figures) {
  const shown = Object.entries(figures).map(([key, value]) => `${key} ${value.toFixed(1)}`);
  console.error(`round ${round}, ${name}: ${shown.join(", ")}`);
}

async function main() {
  const { values, positionals } = parseArgs({
    options: { rounds: { type: "string" }, json: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const [name] = positionals;
  const path = Object.hasOwn(BENCHES, name ?? "") ? BENCHES[name] : undefined;
  if (path === undefined || positionals.length !== 1) return usage();
  const bench = await import(path);
  const rounds = Number(values.rounds ?? bench.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > ROUNDS_MAX) {
    console.error(`--rounds: a whole number from 1 to ${ROUNDS_MAX}`);
    process.exitCode = 2;
    return;
  }
  if (bench.needsNamespaces && !isInside()) {
    process.exitCode = await runInside();
    return;
  }
  if (isInside()) obeyOuter();
  const report = await bench.run({ rounds, onRound: progress });
  printReport({ name, about: bench.about, machine: machine(), rounds, ...report }, values.json);
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
}
