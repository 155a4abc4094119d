/**
 * The benchmarks: `npm run bench -- NAME|all [--rounds N] [--json] [--markdown FILE]`, and options
 * that a benchmark has of its own.
 *
 * Each compares its contestants in one run, in turn, and prints medians, spreads and ratios. What
 * one sets up it removes. Without a name: the list. With --markdown the report also replaces the
 * last one in a document, between the marks of its name.
 */
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { isInside, obeyOuter, runInside } from "../dist/demo/sandbox.js";
import { machine } from "./kit/machine.mjs";
import { writeInto } from "./kit/markdown.mjs";
import { printReport } from "./kit/print.mjs";

/** Name -> module, each with `about`, `rounds` (by default), `run(options)`, maybe `options`. */
const BENCHES = {
  decide: "./decide.mjs",
  heap: "./heap.mjs",
  memory: "./memory.mjs",
  queue: "./queue.mjs",
  hits: "./hits.mjs",
  transfer: "./transfer.mjs",
  foreign: "./foreign.mjs",
  scale: "./scale.mjs",
  sync: "./sync.mjs",
  takeover: "./takeover.mjs",
  gc: "./gc.mjs",
  "broadcast-loss": "./broadcast-loss.mjs",
  idle: "./idle.mjs",
};

const ROUNDS_MAX = 100;

function usage() {
  console.error(`usage: npm run bench -- NAME [--rounds N] [--json] [--markdown FILE]
names: ${Object.keys(BENCHES).join(" ")}, or all
broadcast-loss has --seconds S, the length of a run, and --svg FILE, where the plot goes`);
  process.exitCode = 2;
}

/** A long run shows that it lives. */
function progress(round, name, figures) {
  const shown = Object.entries(figures).map(([key, value]) => `${key} ${value.toFixed(1)}`);
  console.error(`round ${round}, ${name}: ${shown.join(", ")}`);
}

/** One after the other, each in a process of its own; one that fails does not end the rest. */
function runAll(flags) {
  for (const name of Object.keys(BENCHES)) {
    const argv = [...process.execArgv, process.argv[1], name, ...flags];
    if (spawnSync(process.execPath, argv, { stdio: "inherit" }).status !== 0) process.exitCode = 1;
  }
}

const OPTIONS = {
  rounds: { type: "string" },
  json: { type: "boolean", default: false },
  markdown: { type: "string" },
};

async function main() {
  const argv = process.argv.slice(2);
  const name = argv.find((each) => each === "all" || Object.hasOwn(BENCHES, each));
  const flags = argv.filter((each) => each !== name);
  if (name === "all") return runAll(flags);
  if (name === undefined) return usage();
  const bench = await import(BENCHES[name]);
  const { values } = parseArgs({ args: flags, options: { ...OPTIONS, ...bench.options } });
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
  const found = await bench.run({ rounds, onRound: progress, values });
  const report = { name, about: bench.about, machine: machine(), rounds, ...found };
  printReport(report, values.json);
  if (values.markdown !== undefined) writeInto(values.markdown, report);
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
}
