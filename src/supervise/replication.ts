/** The sync thread as `main` sees it. */
import { type MessagePort, Worker } from "node:worker_threads";
import type { FlowEvent } from "../cluster/flows/output.js";
import type { SyncNews, SyncSnapshot, SyncThreadData } from "../cluster/sync/thread.js";

const SCRIPT = new URL("../cluster/sync/thread.js", import.meta.url);

export interface SyncHandlers {
  onEvent(event: FlowEvent): void;
  /** The thread ended although nobody asked it to. */
  onFatal(message: string): void;
}

export class SyncThreadProxy {
  /** The newest snapshot; null until the first one came. */
  latest: SyncSnapshot | null = null;
  private readonly worker: Worker;
  private readonly waiting: ((snapshot: SyncSnapshot) => void)[] = [];
  private isStopping = false;
  /** It may end before anybody waits for that: control tells it to. */
  private readonly exited: Promise<void>;

  /** @param port of the channel to the control thread; it moves to the thread */
  constructor(data: Omit<SyncThreadData, "control">, port: MessagePort, handlers: SyncHandlers) {
    const workerData: SyncThreadData = { ...data, control: port };
    this.worker = new Worker(SCRIPT, { name: "sync", workerData, transferList: [port] });
    this.worker.on("message", (news: SyncNews) => {
      if (news.kind === "event") return handlers.onEvent(news.event);
      this.latest = news.snapshot;
      for (const resolve of this.waiting.splice(0)) resolve(news.snapshot);
    });
    this.worker.on("error", (error) => handlers.onFatal(`sync thread: ${String(error)}`));
    this.exited = new Promise((resolve) => {
      this.worker.once("exit", () => {
        resolve();
        if (!this.isStopping) handlers.onFatal("the sync thread ended");
      });
    });
  }

  snapshot(): Promise<SyncSnapshot> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.worker.postMessage("snapshot");
    });
  }

  /** The control thread ends it with its own end; by force after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    const force = setTimeout(() => void this.worker.terminate(), timeoutMs);
    await this.exited;
    clearTimeout(force);
  }

  /** From now on its end is no failure. */
  expectEnd(): void {
    this.isStopping = true;
  }
}
