/** Planned changes take a while: ask for one, then show the progress until it is done. */
import type { StatusReport } from "../api/report.js";
import { ask, type ClientOptions } from "./client.js";
import { CliError } from "./error.js";
import { note, print } from "./output.js";

/** Milliseconds between two looks at the node. */
const POLL_MS = 100;

export interface WaitOptions extends ClientOptions {
  /** Seconds until the command gives up; the node goes on. */
  readonly timeout: number;
}

export interface Change {
  readonly verb: "drain" | "join" | "resync";
  isDone(status: StatusReport): boolean;
  progress(status: StatusReport): string;
  /** Why it has failed, and will not go on by itself; empty: it has not. */
  failure?(status: StatusReport): string;
}

/**
 * Starts a change and waits until it is done.
 * @throws CliError with exit code 1 where the node refuses, or is not done in time
 */
export async function change(options: WaitOptions, wanted: Change): Promise<void> {
  await ask(options.socket, "POST", `/v1/${wanted.verb}`);
  const deadline = AbortSignal.timeout(options.timeout * 1000);
  let shown = "";
  for (;;) {
    const status = await ask<StatusReport>(options.socket, "GET", "/v1/status");
    if (wanted.isDone(status)) {
      if (options.json) print(JSON.stringify(status));
      else print(`${wanted.verb}: done, ${wanted.progress(status)}`);
      return;
    }
    const failure = wanted.failure?.(status) ?? "";
    if (failure !== "") throw new CliError(`${wanted.verb}: ${failure}`, 1);
    const progress = wanted.progress(status);
    if (progress !== shown) note(`${wanted.verb}: ${progress}`);
    shown = progress;
    if (deadline.aborted) {
      const message = `not done after ${options.timeout} s (${progress}); the node goes on`;
      throw new CliError(`${wanted.verb}: ${message}`, 1);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
