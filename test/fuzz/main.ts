/**
 * `npm run fuzz`: threads on all CPUs, a line now and then, and a finding with what replays it.
 * Exit codes: 0 nothing found, 1 a finding, 2 bad arguments.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { type Finding, replay } from "./fuzzer.js";
import { TARGETS } from "./targets/index.js";
import { type FuzzResult, FuzzThread } from "./watch.js";

const USAGE = `npm run fuzz -- [options]
  --target NAME   one of ${Object.keys(TARGETS).join(", ")}; all of them unless given
  --seconds S     how long, for each target; 10 unless a count is given
  --count N       how many inputs, for each target
  --seed X        a whole number; drawn unless given
  --threads T     ${availableParallelism()} unless given
  --input HEX,... replays the inputs of a finding`;

const THREAD = new URL("thread.js", import.meta.url);
const SAY_MS = 10_000;

interface Options {
  readonly targets: readonly string[];
  readonly seconds: number;
  readonly count: number;
  readonly seed: number;
  readonly threads: number;
  readonly inputs: readonly string[] | null;
}

function optionsOf(args: readonly string[]): Options {
  const text = { type: "string" } as const;
  const names = {
    target: text,
    seconds: text,
    count: text,
    seed: text,
    threads: text,
    input: text,
  };
  const { values } = parseArgs({ args: [...args], options: names });
  const { target } = values;
  if (target !== undefined && !Object.hasOwn(TARGETS, target)) throw new Error(`no ${target}`);
  const count = numberOf(values.count, Number.POSITIVE_INFINITY);
  return {
    targets: target === undefined ? Object.keys(TARGETS) : [target],
    seconds: numberOf(values.seconds, Number.isFinite(count) ? Number.POSITIVE_INFINITY : 10),
    count,
    seed: numberOf(values.seed, Date.now() % 2 ** 32) >>> 0,
    threads: numberOf(values.threads, availableParallelism()),
    inputs: values.input === undefined ? null : values.input.split(","),
  };
}

function numberOf(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!(value >= 0)) throw new Error(`${text} is no number`);
  return value;
}

/** Fuzzes one target; true when nothing was found. */
async function fuzz(target: string, options: Options): Promise<boolean> {
  const { seconds, count, seed, threads } = options;
  const share = Math.ceil(count / threads);
  const running = Array.from({ length: threads }, (_, index) => {
    return new FuzzThread(THREAD, { target, seed: (seed + index) >>> 0, count: share });
  });
  await Promise.all(running.map(({ ready, result }) => Promise.race([ready, result])));
  const begin = Date.now();
  const stop = () => {
    for (const thread of running) thread.stop();
  };
  const timers = [setInterval(() => say(target, running, begin), SAY_MS)];
  if (Number.isFinite(seconds)) timers.push(setTimeout(stop, seconds * 1000));
  const results = await Promise.all(
    running.map(async ({ result }) => {
      const ended = await result;
      if (ended.finding !== null) stop();
      return ended;
    }),
  );
  for (const timer of timers) clearInterval(timer);
  return report(target, results, Date.now() - begin, options);
}

function say(target: string, running: readonly FuzzThread[], begin: number): void {
  const tried = running.reduce((sum, thread) => sum + thread.tried, 0);
  const rate = Math.round((tried * 1000) / (Date.now() - begin));
  console.error(`${target}: ${tried} tried, ${rate}/s`);
}

function report(
  target: string,
  results: readonly FuzzResult[],
  durationMs: number,
  { seed, threads }: Options,
): boolean {
  const tried = results.reduce((sum, result) => sum + result.tried, 0);
  const behaviours = Math.max(...results.map((result) => result.behaviours));
  const findings = results.flatMap(({ finding }) => (finding === null ? [] : [finding]));
  const seconds = Math.round(durationMs / 1000);
  const perSecond = Math.round((tried * 1000) / durationMs);
  const summary = { target, seed, threads, tried, seconds, perSecond, behaviours };
  console.log(JSON.stringify({ ...summary, findings: findings.length }));
  for (const finding of findings) tell(finding);
  return findings.length === 0;
}

function tell({ target, seed, number, message, inputs }: Finding): void {
  console.log(`\n${target}: seed ${seed}, input ${number}\n${message}`);
  console.log(`npm run fuzz -- --target ${target} --input ${inputs.join(",")}`);
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = optionsOf(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  if (options.inputs !== null) {
    const target = (TARGETS[options.targets[0] as string] as (typeof TARGETS)[string])();
    await replay(target, options.inputs);
    await target.close?.();
    console.log("nothing happened");
    return 0;
  }
  let isClean = true;
  for (const target of options.targets) isClean = (await fuzz(target, options)) && isClean;
  return isClean ? 0 : 1;
}

process.exitCode = await main();
