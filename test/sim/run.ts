/** One seed from its plan to its outcome. */
import { quietMs } from "./bounds.js";
import { EventHash } from "./event-hash.js";
import type { Plan } from "./plan.js";
import type { Timeline } from "./timeline.js";
import { Violation } from "./watch.js";
import { type Twists, World } from "./world.js";

export type Verdict = "ok" | "crash" | "unsafe" | "stuck";

export interface Outcome {
  readonly seed: number;
  readonly verdict: Verdict;
  /** The invariant that does not hold, and what was seen; empty when all is well. */
  readonly invariant: string;
  readonly message: string;
  /** Virtual time of the end, and how long the quiet took until all was well. */
  readonly atMs: number;
  readonly settledMs: number;
  /** FNV-1a over every output of every node with its time. */
  readonly hash: string;
  readonly cpuMs: number;
  readonly figures: Readonly<Record<string, number>>;
}

export interface RunOptions {
  readonly twists?: Twists;
  readonly timeline?: Timeline;
}

export function runPlan(plan: Plan, options: RunOptions = {}): Outcome {
  const start = process.cpuUsage();
  const hash = new EventHash();
  const world = new World(
    options.timeline ? readable(plan) : plan,
    [hash],
    options.twists,
    options.timeline ?? null,
  );
  hash.agenda = world.agenda;
  let end: Pick<Outcome, "verdict" | "invariant" | "message"> = {
    ...{ verdict: "ok", invariant: "", message: "" },
  };
  let settledMs = 0;
  let isQuiet = false;
  try {
    world.run();
    isQuiet = true;
    settledMs = world.settle(quietMs(plan));
  } catch (error) {
    end = endOf(error, isQuiet);
  }
  return {
    seed: plan.seed,
    ...end,
    atMs: world.agenda.now,
    settledMs,
    hash: hash.text,
    cpuMs: cpuMs(start),
    figures: figuresOf(world),
  };
}

/** The same run with bodies that a timeline can show. */
function readable(plan: Plan): Plan {
  return { ...plan, settings: { ...plan.settings, seal: "cheap" } };
}

/** Objections of checkers in quiet mean that something did not come about, unless said at once. */
function endOf(
  error: unknown,
  isQuiet: boolean,
): Pick<Outcome, "verdict" | "invariant" | "message"> {
  if (!(error instanceof Violation)) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { verdict: "crash", invariant: "no exception", message };
  }
  const { invariant, message } = error;
  const verdict = isQuiet && message.includes("of quiet:") ? "stuck" : "unsafe";
  return { verdict, invariant, message };
}

function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

function figuresOf(world: World): Record<string, number> {
  const { traffic, survival, cover, messages, streams, agenda, links } = world;
  return {
    simulatedMs: agenda.now,
    events: agenda.done,
    datagrams: links.sent,
    taken: messages.taken,
    refused: messages.refused,
    delivered: streams.delivered,
    longestGapMs: cover.longestGapMs,
    ...traffic.counters,
    ...survival.counters,
  };
}
