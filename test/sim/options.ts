/** The command line of the simulator. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

export const HELP = `usage: npm run simulate -- --seeds A..B [options]

Runs whole clusters on virtual time against faults drawn from each seed, and checks invariants.

  --seeds A..B     which seeds; also a single one (default 1..100)
  --nodes N        nodes of the cluster, 1 to 16 (default 5)
  --cold N         nodes up to this id have cold replicas (default 0)
  --minutes M      simulated minutes of faults per seed; quiet comes after (default 10)
  --jobs J         seeds at once (default: processors)
  --json           one line of JSON per seed, and one of the whole at the end
  --no-shrink      do not look for the shortest schedule of a failing seed
  --stop           stop at the first seed that fails
  --mutant NAME    with a deliberate bug; see --mutants
  --mutants        each deliberate bug in turn, until a seed catches it
  --list           names of the deliberate bugs
  --exhaustive     all orders of events in small clusters instead; see --exhaustive --help

Exit codes: 0 all well; 1 a mutant survived, or another failure; 2 bad input;
            10 a node crashed; 11 an invariant was violated; 12 no progress in quiet

Example: npm run simulate -- --seeds 1..200 --nodes 3 --minutes 2
`;

export interface Options {
  readonly first: number;
  readonly last: number;
  readonly nodes: number;
  readonly cold: number;
  readonly minutes: number;
  readonly jobs: number;
  readonly isJson: boolean;
  readonly mayShrink: boolean;
  readonly stops: boolean;
  readonly mutant: string;
  readonly task: "run" | "mutants" | "list" | "help";
}

export class BadInput extends Error {}

const NODES_MAX = 16;
const MINUTES_MAX = 24 * 60;
const JOBS_MAX = 256;

export function readOptions(args: readonly string[]): Options {
  const { values } = parse(args);
  const [first, last] = rangeOf(values.seeds ?? "1..100");
  return {
    ...{ first, last },
    nodes: numberOf("nodes", values.nodes ?? "5", 1, NODES_MAX, true),
    cold: numberOf("cold", values.cold ?? "0", 0, NODES_MAX, true),
    minutes: numberOf("minutes", values.minutes ?? "10", 0.05, MINUTES_MAX, false),
    jobs: numberOf("jobs", values.jobs ?? String(availableParallelism()), 1, JOBS_MAX, true),
    isJson: values.json === true,
    mayShrink: values["no-shrink"] !== true,
    stops: values.stop === true,
    mutant: values.mutant ?? "",
    task: values.help ? "help" : values.list ? "list" : values.mutants ? "mutants" : "run",
  };
}

function parse(args: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ seeds: text, nodes: text, cold: text, minutes: text, jobs: text, mutant: text },
        ...{ json: flag, stop: flag, mutants: flag, list: flag, help: flag, "no-shrink": flag },
      },
    });
  } catch (error) {
    throw new BadInput(error instanceof Error ? error.message : String(error));
  }
}

function rangeOf(text: string): [number, number] {
  const match = /^(\d{1,10})(?:\.\.(\d{1,10}))?$/.exec(text);
  if (!match) throw new BadInput(`--seeds ${text}: expected A..B, such as 1..100`);
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  if (last < first) throw new BadInput(`--seeds ${text}: the last seed is below the first`);
  return [first, last];
}

function numberOf(name: string, text: string, min: number, max: number, isWhole: boolean): number {
  const value = Number(text);
  const isGood = value >= min && value <= max && (!isWhole || Number.isInteger(value));
  if (isGood) return value;
  throw new BadInput(
    `--${name} ${text}: expected a ${isWhole ? "whole " : ""}number, ${min} to ${max}`,
  );
}
