/**
 * Child processes that cannot outlive the lab: each is known by its pid and bound to its parent's
 * life.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { bootMs } from "../platform/clock.js";

/** What became of a process. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** PATH of an ordinary user lacks the directories of `ip` and `nft`. */
export function toolEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin`, LC_ALL: "C" };
}

/**
 * Whether a process is there to be sent signals to: its pid may be another's once it was reaped.
 */
export function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** Resolves when the process is gone; a process that could not be started is gone, too. */
export function ending(child: ChildProcess): Promise<Ending> {
  if (!isRunning(child)) return Promise.resolve({ code: child.exitCode, signal: child.signalCode });
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", () => resolve({ code: null, signal: null }));
  });
}

/** A killed process needs milliseconds to free its memory; this is far beyond. */
const DEATH_MS_MAX = 2000;
const DEATH_LOOK_MS = 2;

/** All processes started through it, until they end. */
export class Children {
  private readonly running = new Set<ChildProcess>();

  /**
   * Starts a program. It gets a session of its own, so that Ctrl-C reaches the lab and not its
   * nodes, and dies with us even when we are killed (PR_SET_PDEATHSIG, kept across exec). stdin,
   * stdout, stderr: pipes.
   */
  spawn(argv: readonly string[]): ChildProcess {
    const child = spawn("setpriv", ["--pdeathsig", "KILL", ...argv], {
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
      env: toolEnvironment(),
    });
    this.running.add(child);
    const forget = () => this.running.delete(child);
    child.once("exit", forget);
    child.once("error", forget);
    // A program that ends closes its stdin; what we still wrote to it is of no interest then.
    child.stdin?.on("error", () => {});
    return child;
  }

  /** SIGKILL to each; does not wait. */
  killAll(): void {
    for (const child of this.running) {
      if (isRunning(child)) child.kill("SIGKILL");
    }
  }

  /**
   * Blocks until all of them are dead, for the end of our own process; node's exit events come
   * too late.
   */
  awaitDeath(): void {
    const deadline = bootMs() + DEATH_MS_MAX;
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    for (const child of this.running) {
      while (isRunning(child) && isAlive(child.pid as number) && bootMs() < deadline) {
        Atomics.wait(sleeper, 0, 0, DEATH_LOOK_MS);
      }
    }
  }

  /** Resolves when all of them are gone. */
  async ended(): Promise<void> {
    await Promise.all([...this.running].map(ending));
  }
}

/**
 * Whether a child of ours still runs: a dead one that nobody waited for is a zombie (proc(5),
 * state Z).
 */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name before it, in parentheses, may hold anything.
    return stat[stat.lastIndexOf(")") + 2] !== "Z";
  } catch {
    return false;
  }
}
