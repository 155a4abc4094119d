/** The control thread as `main` sees it: requests out, events and snapshots back. */

import { Worker } from "node:worker_threads";
import type { ClusterEvent } from "../cluster/output.js";
import type {
  ControlReply,
  ControlRequest,
  ControlSnapshot,
  ControlThreadData,
} from "../cluster/thread.js";

const SCRIPT = new URL("../cluster/thread.js", import.meta.url);

export interface ControlHandlers {
  onEvent(event: ClusterEvent): void;
  /** The kernel refused the lease: our rules are gone, or the right to change them. */
  onRulesLost(message: string): void;
  /** The thread ended although nobody asked it to, or the node must stop. */
  onFatal(message: string): void;
}

export class Control {
  private readonly worker: Worker;
  private readonly snapshots: ((snapshot: ControlSnapshot) => void)[] = [];
  private readonly drains: (() => void)[] = [];
  private isStopping = false;
  private readonly exited: Promise<void>;
  /** The newest snapshot; null until the first one came. */
  latest: ControlSnapshot | null = null;

  constructor(
    data: ControlThreadData,
    private readonly handlers: ControlHandlers,
  ) {
    const transferList = [data.sync];
    this.worker = new Worker(SCRIPT, { name: "control", workerData: data, transferList });
    this.worker.on("message", (reply: ControlReply) => this.onReply(reply));
    this.worker.on("error", (error) => handlers.onFatal(`control thread: ${String(error)}`));
    this.exited = new Promise((resolve) => {
      this.worker.once("exit", () => {
        resolve();
        if (!this.isStopping) handlers.onFatal("the control thread ended");
      });
    });
  }

  tell(request: ControlRequest): void {
    this.worker.postMessage(request);
  }

  snapshot(): Promise<ControlSnapshot> {
    return new Promise((resolve) => {
      this.snapshots.push(resolve);
      this.tell({ kind: "snapshot" });
    });
  }

  /** Resolves when nothing is owned any more. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.drains.push(resolve);
    });
  }

  /** Says good-bye to the peers and ends the thread; by force after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.isStopping = true;
    this.tell({ kind: "leave" });
    const force = setTimeout(() => void this.worker.terminate(), timeoutMs);
    await this.exited;
    clearTimeout(force);
  }

  private onReply(reply: ControlReply): void {
    switch (reply.kind) {
      case "snapshot":
        this.latest = reply.snapshot;
        for (const resolve of this.snapshots.splice(0)) resolve(reply.snapshot);
        return;
      case "event":
        return this.handlers.onEvent(reply.event);
      case "drained":
        for (const resolve of this.drains.splice(0)) resolve();
        return;
      case "rulesLost":
        return this.handlers.onRulesLost(reply.message);
      case "fatal":
        return this.handlers.onFatal(reply.message);
    }
  }
}
