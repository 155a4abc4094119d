/**
 * Real programs in the middle of a transfer while the node that carries it dies, hangs, is cut off
 * or leaves: does each end with the right bytes, and how long is the longest pause in them?
 *
 *     npm run outlive -- [--programs a,b] [--fates a,b] [--every N] [--seconds N]
 *                        [--failure-ms N] [--snat] [--json]
 *
 * As root. The last row is the longest pause of the measuring process itself: on a busy machine it
 * explains stalls that all programs but wrk share. With --snat the nodes translate the client's address. With --every 3, each fate meets another third of the programs. Fate `none` shows the pauses that a program makes by itself. Exit code 1 where a
 * transfer did not end as it should; a stall above its target is only told.
 */
import { parseArgs } from "node:util";
import { FATES } from "./outlive/fates.mjs";
import { play } from "./outlive/play.mjs";
import { PROGRAMS } from "./outlive/programs.mjs";

const { values } = parseArgs({
  options: {
    programs: { type: "string", default: Object.keys(PROGRAMS).join() },
    fates: { type: "string", default: Object.keys(FATES).join() },
    every: { type: "string", default: "1" },
    seconds: { type: "string", default: "8" },
    "failure-ms": { type: "string", default: "200" },
    snat: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

/** The names in a list, each of which must be one of `known`. */
function chosen(list, known, what) {
  const names = list.split(",");
  const unknown = names.filter((name) => !Object.hasOwn(known, name));
  if (unknown.length === 0) return names;
  console.error(`no ${what} ${unknown.join()}; there are: ${Object.keys(known).join()}`);
  process.exit(2);
}

function number(name, min) {
  const value = Number(values[name]);
  if (value >= min) return value;
  console.error(`--${name}: a number from ${min} on`);
  process.exit(2);
}

const failureMs = number("failure-ms", 150);
const plan = {
  programs: chosen(values.programs, PROGRAMS, "program"),
  fates: chosen(values.fates, FATES, "fate"),
  every: number("every", 1),
  seconds: number("seconds", 3),
  failureMs,
  snat: values.snat,
};

/** Rows are programs, columns fates; a stall in milliseconds, or what failed. */
function print(results) {
  const { programs, fates } = plan;
  const cell = (result) => (result?.failure ? "FAILED" : String(result?.stallMs ?? "-"));
  const rows = programs.map((program) => [
    program,
    ...fates.map((fate) => cell(results.find((r) => r.program === program && r.fate === fate))),
  ]);
  const all = [["stall, ms", ...fates], ...rows];
  const blind = fates.map((fate) => String(results.find((r) => r.fate === fate)?.blindMs));
  all.push(["(this process)", ...blind]);
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  for (const row of all) console.log(row.map((text, at) => text.padEnd(widths[at])).join("  "));
  console.log(`target at most ${failureMs + 200} (failureMs ${failureMs} + 200)`);
  for (const { program, fate, failure, note } of results) {
    if (failure) console.log(`${fate}, ${program}: ${failure}`);
    else if (note) console.log(`${fate}, ${program}: ${note}`);
  }
}

const results = await play(plan, (text) => values.json || console.error(text));
if (values.json) console.log(JSON.stringify({ failureMs, targetMs: failureMs + 200, results }));
else print(results);
process.exitCode = results.some(({ failure }) => failure) ? 1 : 0;
