/** The sync thread as `main` sees it. */
import type { MessagePort } from "node:worker_threads";
import type { FlowDescription, OutFlows, OutPlace } from "../cluster/flows/description.js";
import type { FlowEvent } from "../cluster/flows/output.js";
import type {
  SyncNews,
  SyncQuery,
  SyncSnapshot,
  SyncThreadData,
} from "../cluster/sync/messages.js";
import { VitalThread } from "../platform/vital-thread.js";

const SCRIPT = new URL("../cluster/sync/thread.js", import.meta.url);

export interface SyncHandlers {
  onEvent(event: FlowEvent): void;
  /** The thread ended although nobody asked it to. */
  onFatal(message: string): void;
}

export class SyncThreadProxy {
  /** The newest snapshot; null until the first one came. */
  latest: SyncSnapshot | null = null;
  private readonly thread: VitalThread;
  private readonly waiting: ((snapshot: SyncSnapshot) => void)[] = [];
  private readonly listing: ((out: OutFlows) => void)[] = [];
  private readonly asking: ((flows: readonly (FlowDescription | null)[]) => void)[] = [];

  /** @param port of the channel to the control thread; it moves to the thread */
  constructor(data: Omit<SyncThreadData, "control">, port: MessagePort, handlers: SyncHandlers) {
    this.thread = new VitalThread({
      name: "sync",
      script: SCRIPT,
      data: { ...data, control: port } satisfies SyncThreadData,
      transferList: [port],
      onMessage: (news) => this.onNews(news as SyncNews, handlers),
      onFatal: handlers.onFatal,
    });
  }

  snapshot(): Promise<SyncSnapshot> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.ask({ kind: "snapshot" });
    });
  }

  /** Begins a resync; resolves when {@link latest} tells of it. */
  async resync(): Promise<void> {
    this.ask({ kind: "resync" });
    await this.snapshot();
  }

  /** What replication knows of the flows with these keys, in their order. */
  describe(keys: readonly string[]): Promise<readonly (FlowDescription | null)[]> {
    return new Promise((resolve) => {
      this.asking.push(resolve);
      this.ask({ kind: "describe", keys });
    });
  }

  /** Replicas that are not in the kernel, from a place on. */
  listOut(from: OutPlace): Promise<OutFlows> {
    return new Promise((resolve) => {
      this.listing.push(resolve);
      this.ask({ kind: "out", from });
    });
  }

  /** The control thread ends it with its own end; by force after `timeoutMs`. */
  stop(timeoutMs: number): Promise<void> {
    return this.thread.ended(timeoutMs);
  }

  /** From now on its end is no failure. */
  expectEnd(): void {
    this.thread.expectEnd();
  }

  private ask(query: SyncQuery): void {
    this.thread.post(query);
  }

  private onNews(news: SyncNews, handlers: SyncHandlers): void {
    if (news.kind === "event") return handlers.onEvent(news.event);
    if (news.kind === "described") return this.asking.shift()?.(news.flows);
    if (news.kind === "out") return this.listing.shift()?.(news.out);
    this.latest = news.snapshot;
    for (const resolve of this.waiting.splice(0)) resolve(news.snapshot);
  }
}
