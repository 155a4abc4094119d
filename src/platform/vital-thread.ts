/** A worker thread that the process cannot do without: its end, unless expected, is fatal. */
import { type TransferListItem, Worker } from "node:worker_threads";

export interface VitalThreadSettings {
  readonly name: string;
  readonly script: URL;
  readonly data: unknown;
  readonly transferList: TransferListItem[];
  readonly onMessage: (message: unknown) => void;
  /** The thread ended although nobody expected it to. */
  readonly onFatal: (message: string) => void;
}

export class VitalThread {
  private readonly worker: Worker;
  private isEndExpected = false;
  /** Settled early where the thread ends before anybody waits for that. */
  private readonly exited: Promise<void>;

  constructor(settings: VitalThreadSettings) {
    const { name, script, data: workerData, transferList, onMessage, onFatal } = settings;
    this.worker = new Worker(script, { name, workerData, transferList });
    this.worker.on("message", onMessage);
    this.worker.on("error", (error) => onFatal(`${name} thread: ${String(error)}`));
    this.exited = new Promise((resolve) => {
      this.worker.once("exit", () => {
        resolve();
        if (!this.isEndExpected) onFatal(`the ${name} thread ended`);
      });
    });
  }

  post(message: unknown): void {
    this.worker.postMessage(message);
  }

  /** From now on its end is no failure. */
  expectEnd(): void {
    this.isEndExpected = true;
  }

  /** Waits for its end, which somebody has asked it for; by force after `timeoutMs`. */
  async ended(timeoutMs: number): Promise<void> {
    const force = setTimeout(() => void this.worker.terminate(), timeoutMs);
    await this.exited;
    clearTimeout(force);
  }
}
