/** The control thread as `main` sees it: requests out, events and snapshots back. */

import type {
  ControlReply,
  ControlRequest,
  ControlSnapshot,
  ControlThreadData,
} from "../cluster/messages.js";
import type { ClusterEvent } from "../cluster/output.js";
import { VitalThread } from "../platform/vital-thread.js";

const SCRIPT = new URL("../cluster/thread.js", import.meta.url);

export interface ControlHandlers {
  onEvent(event: ClusterEvent): void;
  /** The kernel refused the lease: our rules are gone, or the right to change them. */
  onRulesLost(message: string): void;
  /** The thread ended although nobody asked it to, or the node must stop. */
  onFatal(message: string): void;
}

export class Control {
  private readonly thread: VitalThread;
  private readonly snapshots: ((snapshot: ControlSnapshot) => void)[] = [];
  private readonly drains: (() => void)[] = [];

  constructor(
    data: ControlThreadData,
    private readonly handlers: ControlHandlers,
  ) {
    this.thread = new VitalThread({
      name: "control",
      script: SCRIPT,
      data,
      transferList: [data.sync],
      onMessage: (reply) => this.onReply(reply as ControlReply),
      onFatal: handlers.onFatal,
    });
  }

  tell(request: ControlRequest): void {
    this.thread.post(request);
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
    this.thread.expectEnd();
    this.tell({ kind: "leave" });
    await this.thread.ended(timeoutMs);
  }

  private onReply(reply: ControlReply): void {
    switch (reply.kind) {
      case "snapshot":
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
