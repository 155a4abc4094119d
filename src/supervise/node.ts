/**
 * A running node: starts the parts in the one order that is safe, watches them, and takes them down
 * again.
 *
 *     start   socket (one node per socket) -> queues -> rules -> control and sync threads
 *     stop    drain -> control (LEAVE) and sync -> rules -> queues -> socket
 *
 * While only half of it stands, the kernel drops: a queue without rules gets nothing, rules without
 * a lease accept nothing.
 */
import { once } from "node:events";
import { dirname } from "node:path";
import { openMetrics } from "../api/metrics.js";
import type { StatusReport } from "../api/report.js";
import { type ApiServer, openApi, Refusal } from "../api/server.js";
import type { ClusterEvent } from "../cluster/output.js";
import { clusterSecrets, type Secrets, secretWarnings, seedOf } from "../config/secret.js";
import type { Config } from "../config/types.js";
import { Installation } from "../kernel/install.js";
import { bootMs } from "../platform/clock.js";
import type { Logger } from "../platform/log.js";
import { allocateShared, type SharedBuffer, SharedState } from "../state/layout.js";
import { announceAll } from "./announce.js";
import { Control } from "./control.js";
import { openEarlyDrop } from "./early-drop.js";
import { EventLog } from "./event-log.js";
import { Fitness, forwardingWarnings } from "./fitness.js";
import { flowLines } from "./flows.js";
import { PacketWorkers, workersOf } from "./packet-workers.js";
import { SyncThreadProxy } from "./replication.js";
import { Reporter } from "./reporter.js";
import { controlData, installSettings, syncData } from "./settings.js";
import { allSteps } from "./teardown.js";

const ALIVE_MS = 50;
const FITNESS_MS = 100;
const SECOND_MS = 1000;
const REPAIR_MS = 1000;
const PROBE_MS = 500;
const CONTROL_STOP_MS = 1000;
/** A stop that cannot hand everything over in this time goes on without. */
const DRAIN_MS = 3000;

export class RunningNode {
  private readonly state: SharedState;
  private readonly shared: SharedBuffer;
  private readonly installation: Installation;
  private readonly timers: NodeJS.Timeout[] = [];
  private api: ApiServer | undefined;
  private metrics: { close(): Promise<void> } | undefined;
  private workers: PacketWorkers | undefined;
  private control: Control | undefined;
  private sync: SyncThreadProxy | undefined;
  private reporter: Reporter | undefined;
  private fitness: Fitness | undefined;
  private readonly events: EventLog;
  private isAnnounced = false;
  private hasRules = false;

  private constructor(
    private readonly config: Config,
    private readonly log: Logger,
    /** Called when the node cannot go on; the process then stops it and exits with 1. */
    private readonly onFatal: (message: string) => void,
  ) {
    const { cluster, api } = config;
    this.events = new EventLog(log);
    this.shared = allocateShared(cluster.buckets, workersOf(config));
    this.state = new SharedState(this.shared);
    this.installation = new Installation(installSettings(config, dirname(api.socket)));
  }

  /** @throws OpError, SocketError, ConfigError; whatever had been started is stopped again */
  static async start(
    config: Config,
    log: Logger,
    onFatal: (message: string) => void,
  ): Promise<RunningNode> {
    const node = new RunningNode(config, log, onFatal);
    try {
      await node.startAll();
    } catch (error) {
      await node.takeDown("drop").catch((second) => log.error({ err: second }, "clean-up failed"));
      throw error;
    }
    return node;
  }

  /** Hands the range over, says good-bye and removes everything. `hurry` skips the handover. */
  async stop(hurry: AbortSignal): Promise<void> {
    if (!hurry.aborted && this.control !== undefined) {
      const drained = this.control.drained();
      this.control.tell({ kind: "drain" });
      const isDone = await Promise.race([
        drained.then(() => true),
        after(DRAIN_MS, false),
        once(hurry, "abort").then(() => false),
      ]);
      if (!isDone) this.log.warn("stopping before everything was handed over");
    }
    await this.takeDown(this.config.dataplane.onExit);
  }

  async status(): Promise<StatusReport> {
    if (this.reporter === undefined) throw new Refusal("the node is still starting");
    return await this.reporter.status();
  }

  private async startAll(): Promise<void> {
    const { config, log } = this;
    const secrets = clusterSecrets(config);
    const seed = seedOf(config, secrets);
    this.api = await openApi(config.api.socket, {
      status: () => this.status(),
      events: () => this.events.lines(),
      flows: () => this.flows(),
      drain: async () => this.request("drain"),
      join: async () => this.request("join"),
      resync: () => this.resync(),
    });
    const { shared, state } = this;
    this.workers = await PacketWorkers.start({ config, seed, shared, state, log });
    this.hasRules = true;
    this.installation.early = openEarlyDrop(config, seed, log);
    this.installation.install();
    const warnings = [...secretWarnings(secrets), ...this.installation.warnings];
    for (const text of [...warnings, ...forwardingWarnings(config)]) log.warn(text);
    this.state.markMainAlive(bootMs());
    this.control = this.startControl(secrets, seed);
    const { workers, control, sync } = this;
    const fitness = new Fitness(config, log, (request) => control.tell(request));
    this.fitness = fitness;
    const { early } = this.installation;
    const unfit = () => fitness.reasons;
    const parts = { config, state, workers, control, sync, early, unfit, log };
    const reporter = new Reporter(parts);
    await reporter.status();
    this.reporter = reporter;
    if (config.api.metrics !== null) {
      this.metrics = await openMetrics(config.api.metrics, () => this.status());
    }
    this.startTimers();
    log.info({ table: installSettings(config, "").table }, "node started");
  }

  /** Control and sync talk to each other without us. */
  private startControl(secrets: Secrets, seed: number): Control {
    const { early } = this.installation;
    const { port1, port2 } = new MessageChannel();
    const holdWakeFd = this.workers?.holdWakeFd ?? -1;
    const data = { ...syncData(this.config, early !== null), holdWakeFd };
    this.sync = new SyncThreadProxy(data, port2, {
      onEvent: (event) => this.events.note(event),
      onFatal: (message) => this.onFatal(message),
    });
    const passing = early?.passing ?? null;
    return new Control(controlData(this.config, secrets, seed, this.shared, port1, passing), {
      onEvent: (event) => this.onEvent(event),
      onRulesLost: (message) => this.repair(message),
      onFatal: (message) => this.onFatal(message),
    });
  }

  private startTimers(): void {
    this.every(ALIVE_MS, () => this.state.markMainAlive(bootMs()));
    this.every(FITNESS_MS, () => this.fitness?.check());
    this.every(PROBE_MS, () => this.fitness?.probe());
    this.every(REPAIR_MS, () => this.repairDamage());
    this.every(SECOND_MS, () => this.reporter?.onSecond());
  }

  private every(intervalMs: number, action: () => void): void {
    this.timers.push(setInterval(action, intervalMs));
  }

  /** An interface that came back, or an address that somebody removed, is put right again. */
  private repairDamage(): void {
    if (this.fitness?.reasons.length === 0) return;
    const damage = this.installation.damage();
    if (damage !== null) this.repair(damage);
  }

  /** Somebody flushed our rules, or an interface came back without its address: say it all anew. */
  private repair(cause: string): void {
    this.log.warn({ cause }, "repairing rules and addresses");
    try {
      this.installation.install();
    } catch (error) {
      this.log.error({ err: error }, "the repair failed");
    }
  }

  private onEvent(event: ClusterEvent): void {
    this.events.note(event);
    if (event.name !== "claim" || this.isAnnounced) return;
    this.isAnnounced = true;
    announceAll(this.config, this.log);
  }

  private async request(verb: "drain" | "join"): Promise<void> {
    if (this.control === undefined) throw new Refusal("the node is still starting");
    this.control.tell({ kind: verb });
  }

  private resync(): Promise<void> {
    if (this.sync === undefined) throw new Refusal("the node is still starting");
    return this.sync.resync();
  }

  private async flows(): Promise<AsyncIterable<string>> {
    const { sync, config } = this;
    if (sync === undefined) throw new Refusal("the node is still starting");
    return flowLines(await this.status(), config.dataplane.markMask, sync);
  }

  private async takeDown(onExit: "drop" | "accept"): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    await allSteps([
      () => this.sync?.expectEnd(),
      () => this.control?.stop(CONTROL_STOP_MS),
      () => this.sync?.stop(CONTROL_STOP_MS),
      () => this.removeRules(onExit),
      () => this.workers?.stop(),
      () => this.fitness?.close(),
      () => this.metrics?.close(),
      () => this.reporter?.close(),
      () => this.api?.close(),
      () => this.installation.early?.close(),
    ]);
  }

  /** Where another process has the queues, the rules are that process's too. */
  private removeRules(onExit: "drop" | "accept"): void {
    if (!this.hasRules) return;
    if (onExit === "accept") this.installation.leaveForwarding();
    else this.installation.remove();
  }
}

function after<T>(delayMs: number, value: T): Promise<T> {
  return new Promise((resolve) => setTimeout(resolve, delayMs, value).unref());
}
