/** Looks at the cluster again and again while the demo runs, and puts what it sees into frames. */
import type { StatusReport } from "../api/report.js";
import { bootMs } from "../platform/clock.js";
import type { Lab } from "./lab.js";
import { LAB_HASH } from "./node-process.js";
import type { Observer } from "./observer.js";
import type { Frame, NodeRow } from "./show.js";
import type { ClientReport } from "./traffic/client.js";

/**
 * Milliseconds between two looks at the nodes, and between two of the slower looks at the server.
 */
const LOOK_MS = 100;
const COUNT_MS = 500;

export class Watch {
  private stopped = false;
  private readonly over: Promise<void>;
  private hitsByNode: Readonly<Record<number, number>> = {};
  private rates: Record<number, number> = {};
  private countedMs = 0;

  constructor(
    private readonly lab: Lab,
    private readonly observer: Observer,
    private readonly load: () => ClientReport | null,
    private readonly onFrame: (frame: Frame) => void,
  ) {
    this.over = this.look();
    this.over.catch(() => {}); // told by stop()
  }

  /** @throws whatever went wrong while it looked */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.over;
  }

  private async look(): Promise<void> {
    while (!this.stopped) {
      const statuses = await this.lab.statuses();
      if (bootMs() - this.countedMs >= COUNT_MS) this.count();
      this.onFrame(this.frame(statuses));
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  private count(): void {
    const { hitsByNode } = this.observer.read();
    const now = bootMs();
    for (const id of this.lab.nodes) {
      const more = (hitsByNode[id] ?? 0) - (this.hitsByNode[id] ?? 0);
      this.rates[id] = this.countedMs === 0 ? 0 : (1000 * more) / (now - this.countedMs);
    }
    this.hitsByNode = hitsByNode;
    this.countedMs = now;
  }

  private frame(statuses: ReadonlyMap<number, StatusReport>): Frame {
    const report = this.load();
    return {
      buckets: LAB_HASH.buckets,
      rows: this.lab.nodes.map((id) => this.row(id, statuses.get(id))),
      hits: report?.hits ?? 0,
      failed: report?.failed ?? 0,
    };
  }

  private row(id: number, status: StatusReport | undefined): NodeRow {
    return {
      id,
      state: status?.state ?? "stopped",
      range: status?.range ?? [],
      accepted: status?.packets.accepted ?? 0,
      dropped: status?.packets.dropped ?? 0,
      hitsPerSecond: this.rates[id] ?? 0,
    };
  }
}
