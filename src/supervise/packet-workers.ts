/** One packet worker thread per queue, kept running. */
import { MIRROR_FLOWS } from "../config/limits.js";
import type { Config } from "../config/types.js";
import type { PacketThreadData } from "../packet/thread.js";
import { bootMs } from "../platform/clock.js";
import type { Logger } from "../platform/log.js";
import { type EventFd, native } from "../platform/native.js";
import { SupervisedThread } from "../platform/threads.js";
import type { SharedBuffer, SharedState } from "../state/layout.js";
import { mirrorBytes } from "../state/mirror.js";

const SCRIPT = new URL("../packet/thread.js", import.meta.url);
const READY_MS = 5000;
const STOP_MS = 1000;

export interface PacketWorkersSettings {
  readonly config: Config;
  readonly seed: number;
  readonly shared: SharedBuffer;
  readonly state: SharedState;
  readonly log: Logger;
}

export class PacketWorkers {
  private readonly wake: EventFd[] = [];
  private readonly threads: SupervisedThread[] = [];

  private readonly mirror: SharedArrayBuffer | null;

  private constructor(private readonly settings: PacketWorkersSettings) {
    const { cluster, dataplane } = settings.config;
    const bytes = mirrorBytes(dataplane.queues, MIRROR_FLOWS);
    this.mirror = cluster.hash.mode === "tuple" ? null : new SharedArrayBuffer(bytes);
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
    const { config, seed, shared, log } = this.settings;
    const wake = new native.EventFd();
    this.wake.push(wake);
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
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`worker ${index} did not start`)), READY_MS);
      let started = false;
      const thread = new SupervisedThread({
        name: `packet-${index}`,
        script: SCRIPT,
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
      this.threads[index] = thread;
    });
  }
}
