/** `npm run simulate`: the seeded simulator of whole clusters. */
import { type Answer, type Task, work } from "./crew.js";
import { main as searchAll } from "./exhaustive.js";
import { MUTANTS } from "./mutants.js";
import { BadInput, HELP, type Options, readOptions } from "./options.js";
import { planOf } from "./plan.js";
import { failureText, progressText, summaryText, versionText } from "./report.js";
import { type Outcome, runPlan } from "./run.js";
import { Tally } from "./tally.js";

const EXIT = { ok: 0, failed: 1, badInput: 2, crash: 10, unsafe: 11, stuck: 12 } as const;

function* tasks(options: Options, kind: Task["kind"], mutant: string): Generator<Task> {
  for (let seed = options.first; seed <= options.last; seed++) {
    yield { kind, plan: planOf(seed, options.nodes, options.minutes, options.cold), mutant };
  }
}

async function runSeeds(options: Options): Promise<number> {
  const tally = new Tally();
  const failed: Outcome[] = [];
  const onAnswer = (answer: Answer) => {
    if (answer.kind !== "run") return true;
    const { outcome } = answer;
    tally.add(outcome);
    if (tally.isTimeToTell) console.error(progressText(tally));
    if (options.isJson) console.log(JSON.stringify(outcome));
    if (outcome.verdict === "ok") return true;
    failed.push(outcome);
    if (!options.isJson) console.log(failureText(outcome, options));
    return !options.stops;
  };
  await work(options.jobs, tasks(options, "run", options.mutant), onAnswer);
  if (options.mayShrink && failed.length > 0) await shrinkFirst(options, failed[0]);
  console.log(options.isJson ? JSON.stringify(tally.summary()) : summaryText(tally, options));
  const worst = (["crash", "unsafe", "stuck"] as const).find((verdict) => tally.verdicts[verdict]);
  return EXIT[worst ?? "ok"];
}

/** One failing seed is explained; the others can be asked for by their number. */
async function shrinkFirst(options: Options, { seed }: Outcome): Promise<void> {
  const only = { ...options, first: seed, last: seed };
  await work(1, tasks(only, "shrink", options.mutant), (answer) => {
    if (answer.kind !== "shrink") return true;
    const { shrunk } = answer;
    if (options.isJson) console.log(JSON.stringify(shrunk));
    else console.log(failureText(shrunk.outcome, options, shrunk));
    return true;
  });
}

/** Each mutant must be caught by some checker within the seeds that were asked for. */
async function runMutants(options: Options): Promise<number> {
  let survivors = 0;
  for (const { name, what } of MUTANTS) {
    let [seeds, caught] = [0, null as Outcome | null];
    await work(options.jobs, tasks(options, "run", name), (answer) => {
      if (answer.kind !== "run") return true;
      seeds += 1;
      if (answer.outcome.verdict === "ok") return true;
      // A seed that fails without the bug too has not caught it.
      const { seed } = answer.outcome;
      const plain = runPlan(planOf(seed, options.nodes, options.minutes, options.cold));
      if (plain.verdict === "ok") caught = answer.outcome;
      return caught === null;
    });
    const by = caught as Outcome | null;
    if (!by) survivors += 1;
    if (options.isJson) console.log(JSON.stringify({ name, what, seeds, caught: by }));
    else if (!by) console.log(`${name.padEnd(26)} SURVIVED ${seeds} seeds: ${what}`);
    else {
      const head = `${name.padEnd(26)} caught by ${by.invariant.padEnd(12)}`;
      console.log(`${head} seed ${by.seed}, ${seeds} run: ${by.message.split("\n")[0]}`);
    }
  }
  console.log(`${MUTANTS.length - survivors} of ${MUTANTS.length} mutants caught`);
  return survivors === 0 ? EXIT.ok : EXIT.failed;
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  if (args.includes("--exhaustive")) return searchAll(args);
  const options = readOptions(args);
  const isKnown = options.mutant === "" || MUTANTS.some(({ name }) => name === options.mutant);
  if (!isKnown) throw new BadInput(`--mutant ${options.mutant}: not in --list`);
  switch (options.task) {
    case "help":
      console.log(HELP);
      return EXIT.ok;
    case "list":
      for (const { name, what } of MUTANTS) console.log(`${name.padEnd(26)} ${what}`);
      return EXIT.ok;
    case "mutants":
      return runMutants(options);
    case "run":
      if (!options.isJson) console.log(`shardwall ${versionText()}, node ${process.version}`);
      return runSeeds(options);
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const isInput = error instanceof BadInput;
    console.error(isInput ? `${error.message}; see --help` : error);
    process.exitCode = isInput ? EXIT.badInput : EXIT.failed;
  },
);
