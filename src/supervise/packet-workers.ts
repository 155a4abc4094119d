/** One packet worker thread per queue, kept running. */
import { MIRROR_FLOWS } from "../config/limits.js";
import type { Config } from "../config/types.js";
import type { HoldThreadData } from "../packet/hold/thread.js";
import type { PacketThreadData } from "../packet/thread.js";
import { bootMs } from "../platform/clock.js";
import type { Logger } from "../platform/log.js";
import { type EventFd, native } from "../platform/native.js";
import { type TableMemory, tableMemory } from "../platform/table-memory.js";
import { SupervisedThread } from "../platform/threads.js";
import type { SharedBuffer, SharedState } from "../state/layout.js";
import { mirrorBytes } from "../state/mirror.js";

const SCRIPT = new URL("../packet/thread.js", import.meta.url);
const HOLD_SCRIPT = new URL("../packet/hold/thread.js", import.meta.url);
const READY_MS = 5000;
const STOP_MS = 1000;

export interface PacketWorkersSettings {
  readonly config: Config;
  readonly seed: number;
  readonly shared: SharedBuffer;
  readonly state: SharedState;
  readonly log: Logger;
}

/** Workers that a configuration asks for. */
export function workersOf({ dataplane, sync }: Config): number {
  return dataplane.queues + (sync.holdMs > 0 ? 1 : 0);
}

export class PacketWorkers {
  /** Wakes the thread that holds first replies; -1 where there is none. */
  holdWakeFd = -1;
  private readonly wake: EventFd[] = [];
  private readonly threads: SupervisedThread[] = [];

  private readonly mirror: TableMemory | null;

  private constructor(private readonly settings: PacketWorkersSettings) {
    const { cluster, dataplane } = settings.config;
    const bytes = mirrorBytes(dataplane.queues, MIRROR_FLOWS);
    this.mirror = cluster.hash.mode === "tuple" ? null : tableMemory(bytes);
  }

  /**
   * Starts all workers; resolves when each has its queue.
   * @throws Error of the first worker that could not open its queue
   */
  static async start(settings: PacketWorkersSettings): Promise<PacketWorkers> {
    const workers = new PacketWorkers(settings);
    const ready: Promise<void>[] = [];
    for (let index = 0; index < settings.config.dataplane.queues; index++) {
      ready.push(workers.add(index));
    }
    if (settings.config.sync.holdMs > 0) ready.push(workers.addHold());
    try {
      await Promise.all(ready);
    } catch (error) {
      await workers.stop();
      throw error;
    }
    return workers;
  }

  restarts(index: number): number {
    return this.threads[index]?.restarts ?? 0;
  }

  async stop(): Promise<void> {
    this.settings.state.requestStop();
    await Promise.all(this.threads.map((thread) => thread.stop(STOP_MS)));
    for (const event of this.wake) event.close();
  }

  private add(index: number): Promise<void> {
    const { config, seed, shared } = this.settings;
    const wake = this.newWake();
    const queue = config.dataplane.firstQueue + index;
    const data: PacketThreadData = {
      index,
      queue,
      wakeFd: wake.fd,
      seed,
      shared,
      hash: { mode: config.cluster.hash.mode, buckets: config.cluster.buckets },
      dataplane: config.dataplane,
      mirror: this.mirror,
      translated: config.nat.map(({ to, ports }) => ({ address: to, ports })),
    };
    return this.start(index, { name: `packet-${index}`, script: SCRIPT, data, wake, queue });
  }

  /** The thread that holds first replies counts as one worker more. */
  private addHold(): Promise<void> {
    const { config, seed, shared } = this.settings;
    const { dataplane, sync } = config;
    const index = dataplane.queues;
    const queue = dataplane.firstQueue + index;
    const wake = this.newWake();
    this.holdWakeFd = wake.fd;
    const { holdMs } = sync;
    const data: HoldThreadData = {
      ...{ index, queue, wakeFd: wake.fd, holdMs, seed, shared, dataplane },
    };
    return this.start(index, { name: "hold", script: HOLD_SCRIPT, data, wake, queue });
  }

  private newWake(): EventFd {
    const wake = new native.EventFd();
    this.wake.push(wake);
    return wake;
  }

  private start(index: number, { name, script, data, wake, queue }: Start): Promise<void> {
    const { log } = this.settings;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`worker ${index} did not start`)), READY_MS);
      let started = false;
      this.threads[index] = new SupervisedThread({
        name,
        script,
        data,
        now: bootMs,
        wake: () => wake.signal(),
        onMessage: () => {
          started = true;
          clearTimeout(late);
          resolve();
        },
        onCrash: (error) => {
          if (!started) {
            clearTimeout(late);
            reject(error ?? new Error(`worker ${index} ended at its start`));
            return;
          }
          log.error({ queue, err: error }, "packet worker crashed, starting it again");
        },
      });
    });
  }
}

interface Start {
  readonly name: string;
  readonly script: URL;
  readonly data: PacketThreadData | HoldThreadData;
  readonly wake: EventFd;
  readonly queue: number;
}
