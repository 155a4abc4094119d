/**
 * Overhead of the reliable broadcast under induced loss, the measurement of Ben Sartor (2007)
 * repeated: three nodes, a message of each every 100 ms, one minute for each rate of loss.
 *
 *     npm run build && node bench/broadcast-loss.mjs [--simulated | --real] [--svg FILE] [--help]
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { plot } from "./broadcast-loss/plot.mjs";
import { measureReal } from "./broadcast-loss/real.mjs";
import { simulate } from "./broadcast-loss/simulated.mjs";

const RATES = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90];
const HELP = `Overhead of the reliable broadcast under loss: three nodes, a message each 100 ms.

  node bench/broadcast-loss.mjs
  node bench/broadcast-loss.mjs --simulated --seeds 100
  node bench/broadcast-loss.mjs --real --seconds 20 --json

  --simulated, --real   only on virtual time; only over UDP in network namespaces (root)
  --seconds S           length of a run (default 60)
  --seeds N             simulated runs for each rate (default 30)
  --svg FILE            write the plot there
  --json                figures as JSON

A message is counted once, when it is sent, however many hear it:
  overhead       (NAK + resync) / (NAK + resync + payload); resync is RESYNC, START and tables
  with repairs   the same with repeated payload among the overhead
Heartbeats are sent and lost too, but not counted. Before the count all nodes are in sync.`;

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function spreadOf(values) {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
}

function simulated(seconds, seeds) {
  return RATES.map((rate) => {
    const runs = Array.from({ length: seeds }, (_, seed) =>
      simulate(rate / 100, seed + 1, seconds),
    );
    const figure = (key) => mean(runs.map((run) => run[key]));
    return {
      rate,
      ...Object.fromEntries(Object.keys(runs[0]).map((key) => [key, figure(key)])),
      delayMsMax: Math.max(...runs.map((run) => run.delayMsMax)),
      spread: spreadOf(runs.map(({ overhead }) => overhead)),
    };
  });
}

const percent = (share) => (100 * share).toFixed(1);

function table(name, rows) {
  const head = ["loss %", "overhead %", "spread", "with repairs %", "NAK", "resync", "repairs"];
  const lines = rows.map((row) => [
    row.rate,
    percent(row.overhead),
    row.spread === undefined ? "-" : percent(row.spread),
    percent(row.overheadWithRepairs),
    ...[row.nak, row.resync, row.repairs, row.payload, row.missing].map((n) => n.toFixed(0)),
    row.delayMsMax.toFixed(0),
  ]);
  const all = [[...head, "payload", "missing", "delay ms"], ...lines];
  const text = all.map((cells) => `| ${cells.join(" | ")} |`);
  return `${name}\n\n${text[0]}\n|${"---|".repeat(all[0].length)}\n${text.slice(1).join("\n")}\n`;
}

function curve(name, color, key, rows) {
  const points = rows.map((row) => [row.rate / 100, row[key], key === "overhead" ? row.spread : 0]);
  return { name, color, dash: key === "overhead" ? "" : "5 4", points };
}

function curvesOf(report) {
  const colors = { simulated: "#1f5fa8", real: "#c2410c" };
  return Object.entries(colors).flatMap(([name, color]) =>
    report[name] === undefined
      ? []
      : [
          curve(name, color, "overhead", report[name]),
          curve(`${name}, with repairs`, color, "overheadWithRepairs", report[name]),
        ],
  );
}

function optionsOf(argv) {
  const text = (preset) => ({ type: "string", default: preset });
  const flag = { type: "boolean", default: false };
  const { values } = parseArgs({
    args: argv,
    options: {
      ...{ simulated: flag, real: flag, json: flag, help: flag },
      ...{ seconds: text("60"), seeds: text("30"), svg: { type: "string" } },
    },
  });
  const whole = (name, max) => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= 1 && value <= max) return value;
    throw new Error(`--${name}: a whole number from 1 to ${max}`);
  };
  return { ...values, seconds: whole("seconds", 3600), seeds: whole("seeds", 10_000) };
}

async function main() {
  let options;
  try {
    options = optionsOf(process.argv.slice(2));
  } catch (error) {
    console.error(`${error.message}\n\n${HELP}`);
    return 2;
  }
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const { seconds, seeds } = options;
  const report = { seconds, seeds };
  if (!options.real) report.simulated = simulated(seconds, seeds);
  if (!options.simulated) {
    const rows = await measureReal(RATES, seconds);
    report.real = rows.map((row, index) => ({ rate: RATES[index], ...row }));
  }
  const titles = { xTitle: "datagrams lost, %", yTitle: "overhead, % of messages" };
  if (options.svg) writeFileSync(options.svg, plot({ ...titles, curves: curvesOf(report) }));
  if (options.json) console.log(JSON.stringify(report));
  else {
    const runs = `${seeds} runs of ${seconds} s for each rate`;
    if (report.simulated) console.log(table(`Simulated, ${runs}`, report.simulated));
    if (report.real)
      console.log(table(`Real UDP, one run of ${seconds} s for each rate`, report.real));
  }
  return 0;
}

process.exitCode = await main();
