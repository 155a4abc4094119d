/**
 * A worker thread that is expected to run until it is told to stop, started again when it does not.
 */
import { Worker } from "node:worker_threads";
import { native } from "./native.js";
import { revived } from "./op-error.js";

/**
 * Milliseconds before the next start; doubled by each crash within {@link CALM_MS}, up to the
 * maximum.
 */
const DELAY_MIN_MS = 5;
const DELAY_MAX_MS = 1000;
const CALM_MS = 5000;

export interface ThreadSettings {
  readonly name: string;
  readonly script: URL;
  readonly data: unknown;
  /** Wakes the thread where it blocks, so that it sees that it shall stop. */
  readonly wake: () => void;
  readonly onMessage: (message: unknown) => void;
  /** A crash; `error` is null when the thread just ended. The thread is being started again. */
  readonly onCrash: (error: Error | null) => void;
  readonly now: () => number;
}

export class SupervisedThread {
  restarts = 0;
  private worker: Worker;
  private stopping = false;
  private startedMs: number;
  private delayMs = DELAY_MIN_MS;
  private exited: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly settings: ThreadSettings) {
    this.startedMs = settings.now();
    this.worker = this.start();
  }

  post(message: unknown): void {
    this.worker.postMessage(message);
  }

  /** Ends the thread in the middle of whatever it does, as a crash would. It is started again. */
  async crash(): Promise<void> {
    this.settings.wake();
    await this.worker.terminate();
  }

  /** Ends when the thread has ended by itself, or when it was ended by force after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    this.settings.wake();
    const force = setTimeout(() => void this.worker.terminate(), timeoutMs);
    await this.exited;
    clearTimeout(force);
  }

  private start(): Worker {
    const { name, script, data, onMessage } = this.settings;
    const worker = new Worker(script, { name, workerData: data });
    let failure: Error | null = null;
    worker.on("message", onMessage);
    worker.on("error", (error) => {
      failure = error instanceof Error ? revived(error) : new Error(String(error));
    });
    this.exited = new Promise((resolve) => {
      worker.on("exit", () => {
        resolve();
        if (!this.stopping) this.again(failure);
      });
    });
    return worker;
  }

  private again(failure: Error | null): void {
    const { now, onCrash } = this.settings;
    const calm = now() - this.startedMs > CALM_MS;
    this.delayMs = calm ? DELAY_MIN_MS : Math.min(this.delayMs * 2, DELAY_MAX_MS);
    this.restarts++;
    onCrash(failure);
    this.timer = setTimeout(() => {
      this.startedMs = now();
      this.worker = this.start();
    }, this.delayMs);
  }
}

/** How a thread is scheduled: by weight among all others, or before all ordinary ones. */
export type Scheduling =
  | { readonly nice: number }
  | { readonly realtime: number; readonly nice: number };

/**
 * Names the calling thread for `top -H`, has its waits end in time and sets how it is scheduled.
 * @param scheduling nice -20..19; realtime 1..99 where allowed, else the nice value. Without
 *   CAP_SYS_NICE all stays as it is: the thread competes like any other.
 */
export function enterThread(name: string, scheduling: Scheduling): void {
  native.nameThread(name);
  native.exactTimers();
  if ("realtime" in scheduling && isAllowed(() => native.realtimeThread(scheduling.realtime)))
    return;
  isAllowed(() => native.niceThread(scheduling.nice));
}

function isAllowed(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
