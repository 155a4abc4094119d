/** `shardwall demo`: a real cluster in network namespaces, loaded, wounded and healed. */
import { Lab } from "../demo/lab.js";
import { brokenPromises, resultOf, summaryOf } from "../demo/outcome.js";
import { isInside, obeyOuter, runInside } from "../demo/sandbox.js";
import { play } from "../demo/script.js";
import { Show } from "../demo/show.js";
import { bootMs } from "../platform/clock.js";
import { CliError } from "./error.js";
import { note, print } from "./output.js";

export interface DemoOptions {
  readonly nodes: number;
  /** Seconds of traffic. */
  readonly seconds?: number;
  readonly json?: boolean;
}

const NODES_MIN = 2;
/** All nodes see all packets and share this machine's processors. */
const NODES_MAX = 8;

const SECONDS = 12;
const SECONDS_MIN = 3;
const SECONDS_MAX = 600;

/**
 * Plays the demo; exit code 1 where the cluster did not keep its promise.
 * @throws CliError with exit code 2 for options out of bounds, 3 where something is missing
 */
export async function demo(options: DemoOptions): Promise<void> {
  const { nodes, seconds = SECONDS, json = false } = options;
  checkBounds("--nodes", nodes, NODES_MIN, NODES_MAX);
  checkBounds("--seconds", seconds, SECONDS_MIN, SECONDS_MAX);
  if (!isInside()) {
    process.exitCode = await runInside();
    return;
  }
  obeyOuter();
  const show = new Show(json ? process.stderr : process.stdout, bootMs);
  const lab = Lab.open(nodes, { directory: "/run" });
  try {
    const outcome = await play(lab, seconds, show);
    show.end();
    for (const fault of brokenPromises(outcome)) {
      note(`shardwall: demo failed: ${fault}`);
      process.exitCode = 1;
    }
    print(json ? JSON.stringify(resultOf(outcome)) : `\n${summaryOf(outcome)}`);
  } finally {
    await lab.close();
  }
}

function checkBounds(option: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return;
  throw new CliError(`${option} ${value} is out of bounds (allowed: ${least}..${most})`, 2);
}
