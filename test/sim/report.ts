/** Outcomes as text. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Options } from "./options.js";
import type { Outcome } from "./run.js";
import type { Shrunk } from "./shrink.js";
import type { Tally } from "./tally.js";
import { textOf } from "./timeline.js";

// This file is compiled to build/sim/test/sim/.
const ROOT = new URL("../../../../", import.meta.url);
const VERDICT_TEXT = {
  ok: "all well",
  crash: "CRASH",
  unsafe: "VIOLATION",
  stuck: "NO PROGRESS",
} as const;

/** Package version, and the commit where there is one. */
export function versionText(): string {
  const file = readFileSync(new URL("package.json", ROOT), "utf8");
  const { version } = JSON.parse(file) as { version: string };
  const args = ["describe", "--always", "--dirty"];
  const git = spawnSync("git", args, { cwd: fileURLToPath(ROOT), encoding: "utf8" });
  return git.status === 0 ? `${version} (${git.stdout.trim()})` : version;
}

export function failureText(outcome: Outcome, options: Options, shrunk?: Shrunk): string {
  const { seed, verdict, invariant, message, atMs } = outcome;
  const head = `seed ${seed}: ${VERDICT_TEXT[verdict]} of ${invariant} at ${Math.round(atMs)} ms`;
  const lines = [`${head}: ${message}`];
  if (!shrunk) return lines[0];
  const { plan, timeline, runs } = shrunk;
  const mutant = options.mutant === "" ? "" : ` --mutant ${options.mutant}`;
  const cold = options.cold === 0 ? "" : ` --cold ${options.cold}`;
  const size = `--nodes ${options.nodes} --minutes ${options.minutes}${cold}`;
  return [
    `---- ${versionText()}, seed ${seed}, shrunk in ${runs} runs`,
    `again: npm run simulate -- --seeds ${seed} ${size}${mutant}`,
    `settings ${JSON.stringify(plan.settings)}`,
    `network ${JSON.stringify(plan.network)}`,
    `workload ${JSON.stringify(plan.workload)}`,
    `faults (${plan.faults.length}):`,
    ...plan.faults.map((fault) => `  ${textOf(fault)}`),
    "what happened before:",
    ...timeline,
    ...lines,
    "----",
  ].join("\n");
}

/** A sign of life of a long run. */
export function progressText(tally: Tally): string {
  const { seeds, verdicts, rate } = tally.summary();
  return `${seeds} seeds, ${seeds - verdicts.ok} failed, ${rate} simulated hours per hour`;
}

export function summaryText(tally: Tally, options: Options): string {
  const { seeds, verdicts, elapsedS, cpuS, rate, settledMs, figures, simulatedHours } =
    tally.summary();
  const bad = Object.entries(verdicts).filter(([verdict, count]) => verdict !== "ok" && count > 0);
  const counts = bad.map(([verdict, count]) => `${count} ${verdict}`).join(", ") || "0 violations";
  const hours = Math.round(simulatedHours * 10) / 10;
  const names = ["datagrams", "packets", "opened", "guarded", "longestGapMs"];
  return [
    `seeds ${options.first}..${options.last}, ${options.nodes} nodes: ${seeds} run, ${counts}`,
    `${hours} simulated hours in ${elapsedS} s, ${cpuS} s of CPU: ${rate} simulated hours per hour`,
    `settled after p50 ${settledMs.p50}, p99 ${settledMs.p99}, max ${settledMs.max} ms of quiet`,
    names.map((name) => `${name} ${Math.round(figures[name] ?? 0)}`).join(", "),
  ].join("\n");
}
