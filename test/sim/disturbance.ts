/** Carries out a schedule of faults. */
import { Machine, SOCKET_MAX } from "./machine.js";
import { CALM, type Fault } from "./plan.js";
import { THREADS } from "./process.js";
import type { World } from "./world.js";

/** Milliseconds that a node is given to hand its range over before it stops, and in heartbeats. */
const DRAIN_MS = 5000;
const DRAIN_BEATS = 20;
/** A message of a kind that this version does not know: as a newer minor version may send. */
const NEWER = Uint8Array.from([200, 1, 2, 3]);
const NEWER_MS = 100;
/** How long an upgrade takes. */
const RESTART_MS = 500;

export class Disturbance {
  private isOver = false;
  private readonly undo = new Set<() => void>();

  constructor(private readonly world: World) {}

  schedule(): void {
    for (const fault of this.world.plan.faults) {
      this.world.agenda.at(fault.atMs, () => this.begin(fault));
    }
    if (this.world.plan.faults.some(({ kind }) => kind === "replay" || kind === "forge")) {
      this.world.links.isRecording = true;
    }
  }

  /** Ends every fault, starts what is down, and lets the network be as good as it can. */
  heal(): void {
    this.isOver = true;
    for (const undo of [...this.undo]) undo();
    this.world.links.network = CALM;
    for (const machine of this.world.machines) {
      machine.start();
      machine.process?.control.node.join();
      machine.process?.control.node.setFit([]);
    }
  }

  private begin(fault: Fault): void {
    const { calm, agenda } = this.world;
    calm.begin(fault);
    this.world.timeline?.fault(fault, "begins:");
    const end = this.apply(fault) ?? (() => {});
    const undo = () => {
      if (!this.undo.delete(undo)) return;
      end();
      calm.end(fault);
      this.world.timeline?.fault(fault, "ends:");
    };
    this.undo.add(undo);
    agenda.in(fault.forMs, undo);
  }

  private machine(id: number): Machine {
    return this.world.machines[id - 1];
  }

  /** Begins a fault; returns what ends it. */
  private apply(fault: Fault): (() => void) | undefined {
    const { links } = this.world;
    switch (fault.kind) {
      case "network":
        links.network = fault.network;
        return () => {
          links.network = this.world.plan.network;
        };
      case "partition":
        links.cut(fault);
        return () => links.heal(fault);
      case "replay":
      case "forge":
        return this.repeat(1000 / fault.perSecond, () => links[fault.kind]());
      default:
        return this.disturb(this.machine(fault.node), fault);
    }
  }

  private disturb(machine: Machine, fault: Extract<Fault, { node: number }>) {
    const { process, kernel } = machine;
    switch (fault.kind) {
      case "crash":
        machine.kill(fault.isMachine);
        return () => machine.start();
      case "pause":
        return process?.freeze(THREADS);
      case "suspend":
        return this.suspend(machine);
      case "stall":
        return process?.freeze([fault.thread]);
      case "slow":
        return set(machine, "lateMs", fault.lateMs, 0);
      case "narrow":
        return set(machine, "most", fault.most, SOCKET_MAX);
      case "deaf":
        return set(kernel, "isDeaf", true, false);
      case "dumps":
        return set(kernel, "dumpMs", fault.dumpMs, 20);
      case "drain":
        process?.control.node.drain();
        return () => machine.process?.control.node.join();
      case "unfit":
        process?.control.node.setFit(["carrier lost"]);
        return () => machine.process?.control.node.setFit([]);
      case "restart":
        return this.restart(machine);
      case "twin":
        return this.twin(machine);
      case "flood":
        this.world.traffic.flood(fault.forMs);
        return undefined;
      case "newer":
        return this.repeat(NEWER_MS, () => {
          const control = machine.process?.control;
          if (control && !machine.process?.threads.control.isFrozen) {
            control.carryOut(control.node.sendBody(NEWER));
          }
        });
    }
  }

  private suspend(machine: Machine): (() => void) | undefined {
    if (machine.isAsleep || !machine.isUp) return undefined;
    const thaw = machine.process?.freeze(THREADS);
    machine.sleep();
    return () => {
      machine.wake();
      thaw?.();
    };
  }

  /** Hands over, says goodbye, ends; the fault's end starts it again. */
  private restart(machine: Machine): () => void {
    const { process } = machine;
    const { agenda } = this.world;
    if (process) {
      process.control.node.drain();
      const { heartbeatMs } = this.world.plan.settings;
      const deadline = agenda.now + Math.max(DRAIN_MS, DRAIN_BEATS * heartbeatMs);
      const look = () => {
        if (!process.isRunning || this.isOver) return;
        if (!process.hasDrained && agenda.now < deadline) return agenda.in(100, look);
        process.threads.control.run(() => {
          if (process.isRunning) process.control.carryOut(process.control.node.leave());
        });
      };
      look();
      process.onEnd = () => agenda.in(RESTART_MS, () => machine.start());
    }
    return () => {};
  }

  /** Somebody else's machine comes up with an id that is taken. */
  private twin(machine: Machine): () => void {
    const { world } = this;
    const twin = new Machine(world.scene, machine.id, 1, true);
    world.twins.push(twin);
    twin.start();
    return () => {
      twin.kill(true);
      world.twins.splice(world.twins.indexOf(twin), 1);
    };
  }

  private repeat(everyMs: number, what: () => void): () => void {
    let isOver = false;
    const again = () => {
      if (isOver) return;
      what();
      this.world.agenda.in(everyMs, again);
    };
    again();
    return () => {
      isOver = true;
    };
  }
}

function set<T, K extends keyof T>(of: T, key: K, value: T[K], normal: T[K]): () => void {
  of[key] = value;
  return () => {
    of[key] = normal;
  };
}
