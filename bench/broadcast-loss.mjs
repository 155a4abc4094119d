/**
 * Overhead of the reliable broadcast under induced loss, the measurement of Ben Sartor (2007)
 * repeated: three nodes, a message of each every 100 ms, one minute for each rate of loss; on
 * virtual time, and over UDP in network namespaces.
 *
 * A message is counted once, when it is sent, however many hear it. Heartbeats are sent and lost
 * too, but not counted. Before the count all nodes are in sync.
 */
import { writeFileSync } from "node:fs";
import { plot } from "./broadcast-loss/plot.mjs";
import { measureReal } from "./broadcast-loss/real.mjs";
import { simulate } from "./broadcast-loss/simulated.mjs";
import { spread } from "./kit/figures.mjs";

export const about = "overhead of the reliable broadcast: three nodes, a message each per 100 ms";
export const rounds = 3;
export const needsNamespaces = true;
export const options = {
  seconds: { type: "string", default: "60" },
  svg: { type: "string" },
};

const RATES = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90];
/** Simulated runs for each rate and round: they cost little, and differ more than real ones. */
const SEEDS = 10;
const SECONDS_MAX = 3600;
const COLORS = { simulated: "#1f5fa8", real: "#c2410c" };
const TITLES = { xTitle: "datagrams lost, %", yTitle: "overhead, % of messages" };

/** The figures of one run, by what they are called in the table. */
function figuresOf(outcome) {
  return {
    overhead: 100 * outcome.overhead,
    repaired: 100 * outcome.overheadWithRepairs,
    resync: outcome.resync,
    missing: outcome.missing,
    delay: outcome.delayMsMax,
  };
}

function wholeSeconds(text) {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= SECONDS_MAX) return seconds;
  throw new Error(`--seconds: a whole number from 1 to ${SECONDS_MAX}`);
}

/** All runs of a kind: a list of figures for each rate. */
async function measure(times, seconds, onRound) {
  const found = { simulated: RATES.map(() => []), real: RATES.map(() => []) };
  const note = (kind, index, outcome) => found[kind][index].push(figuresOf(outcome));
  for (let round = 1; round <= times; round++) {
    for (const [index, rate] of RATES.entries()) {
      for (let seed = 1; seed <= SEEDS; seed++) {
        note("simulated", index, simulate(rate / 100, (round - 1) * SEEDS + seed, seconds));
      }
    }
    const outcomes = await measureReal(RATES, seconds);
    for (const [index, outcome] of outcomes.entries()) note("real", index, outcome);
    for (const [index, rate] of RATES.entries()) {
      onRound(round, `${rate} %, real`, found.real[index].at(-1));
    }
  }
  return found;
}

function rowsOf(found) {
  return Object.entries(found).flatMap(([kind, rates]) =>
    rates.map((runs, index) => {
      const keys = Object.keys(runs[0]);
      const values = keys.map((key) => [key, spread(runs.map((run) => run[key]))]);
      const name = `${RATES[index]} % lost, ${kind}`;
      return { name, values: Object.fromEntries(values), ratios: {} };
    }),
  );
}

/** Medians; the spread of the overhead alone, since two of them would hide each other. */
function curvesOf(found) {
  const curve = (kind, key, name, dash) => {
    const points = found[kind].map((runs, index) => {
      const { median, min, max } = spread(runs.map((run) => run[key]));
      const share = key === "overhead" ? (max - min) / 200 : 0;
      return [RATES[index] / 100, median / 100, share];
    });
    return { name, color: COLORS[kind], dash, points };
  };
  return Object.keys(found).flatMap((kind) => [
    curve(kind, "overhead", kind, ""),
    curve(kind, "repaired", `${kind}, with repairs`, "5 4"),
  ]);
}

export async function run({ rounds: times, onRound, values }) {
  const seconds = wholeSeconds(values.seconds);
  const found = await measure(times, seconds, onRound);
  if (values.svg) writeFileSync(values.svg, plot({ ...TITLES, curves: curvesOf(found) }));
  return {
    units: {
      overhead: "%",
      repaired: "%, with repairs",
      resync: "messages",
      missing: "messages",
      delay: "ms, longest",
    },
    rows: rowsOf(found),
    targets: [],
    notes: [
      `runs of ${seconds} s; each round has ${SEEDS} simulated runs for each rate and a real one`,
      "real: all rates at once, so timers are late on a machine with few processors",
    ],
  };
}
