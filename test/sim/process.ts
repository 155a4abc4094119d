/** A node's process: its threads, and what they share. */
import { allocateShared, SharedState } from "../../src/state/layout.js";
import { Control, controlSettings } from "./control.js";
import type { Machine } from "./machine.js";
import type { Datagram } from "./network.js";
import type { ThreadName } from "./plan.js";
import { Sync } from "./sync.js";
import { channel, Thread } from "./threads.js";
import { Worker } from "./worker.js";

export const THREADS = ["control", "sync", "worker", "main"] as const;
/** Silence of the main thread that control tolerates, at least. */
const MAIN_STALL_MS = 1000;

export class Process {
  readonly state: SharedState;
  readonly control: Control;
  readonly sync: Sync;
  readonly worker: Worker;
  readonly threads: Record<ThreadName, Thread>;
  /** By the clock of the machine. */
  readonly startMs: number;
  isRunning = true;
  hasDrained = false;
  /** Called when the process has said its last word and is gone. */
  onEnd: () => void = () => {};
  /** Datagrams taken since the last tick of control. */
  private taken = 0;
  private readonly stalledMs: Record<"worker" | "main", number>;

  constructor(private readonly machine: Machine) {
    const { random, agenda, sim, nodes } = machine.scene;
    this.startMs = machine.localMs;
    this.threads = {
      control: new Thread(random, () => this.tickControl()),
      sync: new Thread(random, () => this.tickSync()),
      worker: new Thread(random),
      main: new Thread(random),
    };
    this.state = new SharedState(allocateShared(sim.buckets, 1));
    this.worker = new Worker(this.state);
    const { control, sync } = this.threads;
    const { threadMs, hopMs } = sim;
    const [toSync, toControl] = channel(
      agenda,
      { thread: control, delayMs: () => threadMs },
      { thread: sync, delayMs: () => threadMs + random.between(0, hopMs) },
    );
    this.sync = new Sync(machine, this, toControl);
    const settings = controlSettings(machine.id, sim, nodes);
    this.control = new Control(machine, this, settings, toSync);
    // What main sets and `stall` in config.
    this.stalledMs = {
      worker: 2 * sim.failureMs,
      main: Math.max(MAIN_STALL_MS, sim.failureMs),
    };
  }

  begin(): void {
    const { agenda, random, sim } = this.machine.scene;
    for (const name of ["control", "sync"] as const) {
      const turn = () => this.turn(name, turn);
      agenda.in(random.between(0, sim.tickMs), turn);
    }
  }

  /** How long a thread may stand still before the node falls silent. */
  stallMs(name: ThreadName): number {
    return name === "worker" || name === "main" ? this.stalledMs[name] : 0;
  }

  receive(datagram: Datagram): void {
    const { control } = this.threads;
    if (this.taken >= this.machine.most || control.backlog >= this.machine.most) return;
    this.taken += 1;
    if (!control.isFrozen) this.take(datagram);
    else control.run(() => this.take(datagram));
  }

  /** Stops threads; returns what lets them go on. */
  freeze(names: readonly ThreadName[]): () => void {
    for (const name of names) this.markAlive(name);
    for (const name of names) this.threads[name].freeze();
    this.machine.reachChanged();
    return () => {
      if (!this.isRunning) return;
      for (const name of names) this.threads[name].thaw();
      this.machine.reachChanged();
    };
  }

  /** Why the node must not take part, as control finds it. */
  haltReason(localMs: number): string {
    this.markAlive("worker");
    this.markAlive("main");
    if (this.state.workerSilenceMs(0, localMs) > this.stalledMs.worker) return "worker stalled";
    return this.state.mainSilenceMs(localMs) > this.stalledMs.main ? "main stalled" : "";
  }

  private markAlive(name: ThreadName): void {
    if (this.threads[name].isFrozen) return;
    const { localMs } = this.machine;
    if (name === "worker") this.state.markWorkerAlive(0, localMs);
    if (name === "main") this.state.markMainAlive(localMs);
  }

  private tickControl(): void {
    this.taken = 0;
    if (this.isRunning) this.control.turn();
  }

  private tickSync(): void {
    if (this.isRunning) this.sync.turn();
  }

  private take(datagram: Datagram): void {
    if (this.isRunning) this.control.take(datagram);
  }

  private turn(name: "control" | "sync", again: () => void): void {
    if (!this.isRunning) return;
    const { agenda, random, sim } = this.machine.scene;
    this.threads[name].tick();
    const lateMs = this.machine.lateMs > 0 ? random.between(0, this.machine.lateMs) : 0;
    agenda.in(sim.tickMs / this.machine.rate + lateMs, again);
  }
}
