/** The sync thread without its sockets: what cluster/sync/thread.ts does, on a virtual machine. */
import type { MessagePort } from "node:worker_threads";
import { nextDueOf } from "../../src/cluster/flows/due.js";
import type { FlowOutput } from "../../src/cluster/flows/output.js";
import type { Flow, Replicated } from "../../src/cluster/flows/record.js";
import { flowSettings } from "../../src/cluster/flows/settings.js";
import { FlowSync } from "../../src/cluster/flows/sync.js";
import { isReplicable } from "../../src/cluster/sync/filter.js";
import type { SyncRequest } from "../../src/cluster/sync/messages.js";
import type { Machine, Process } from "./machine.js";

const TCP = 6;
const UDP = 17;
/** A dump tells of the table in so many pieces, each as it was at another moment. */
const DUMP_PARTS = 4;
/** Broadcast begins so many numbers before the end of its u32. */
const BEFORE_END = 100;

interface Dump {
  records: Replicated[];
  isDone: boolean;
}

export class Sync {
  readonly flows: FlowSync;
  private dump: Dump | null = null;
  private isWoken = false;

  constructor(
    private readonly machine: Machine,
    private readonly process: Process,
    private readonly port: MessagePort,
  ) {
    const { random, sim, watch } = machine.scene;
    const { buckets, windowMs, frames, flowsMax, isWrapping } = sim;
    const random32 = () => (isWrapping ? 2 ** 32 - 1 - random.below(BEFORE_END) : random.u32());
    const isWanted = isReplicable([TCP, UDP]);
    const own = { node: machine.id, buckets, windowMs, frames, flowsMax, random32, isWanted };
    const mayBeOut = machine.isCold ? () => true : null;
    this.flows = new FlowSync(flowSettings({ ...own, mayBeOut }), machine.localMs);
    machine.kernel.isHeard = true;
    if (sim.hearMs > 0) machine.kernel.onEvent = () => this.wake();
    port.on("message", (request: SyncRequest) => {
      if (process.isRunning) this.onRequest(request);
    });
    watch.onSync(machine, this.flows);
  }

  /** Hears the kernel, which wakes the thread, and ticks if that is due. */
  turn(): void {
    const { machine, flows } = this;
    const { kernel } = machine;
    kernel.expire();
    this.hear();
    if (kernel.takeLoss()) this.carryOut(flows.onUnheard(true, machine.localMs));
    if (this.dump?.isDone) {
      const { records } = this.dump;
      this.dump = null;
      this.carryOut(flows.onDump(records, machine.localMs));
    }
    const soonMs = machine.localMs + machine.scene.sim.tickMs / 2;
    if (nextDueOf(flows) <= soonMs) this.carryOut(flows.onTick(machine.localMs));
  }

  /** What the kernel tells wakes the thread, whatever control has told it by then. */
  private wake(): void {
    if (this.isWoken) return;
    this.isWoken = true;
    const { agenda, random, sim } = this.machine.scene;
    const hear = () => {
      this.isWoken = false;
      if (this.process.isRunning) this.hear();
    };
    agenda.in(random.between(0, sim.hearMs), () => this.process.threads.sync.run(hear));
  }

  private hear(): void {
    const { machine, flows } = this;
    this.carryOut(flows.onEvents(machine.kernel.readEvents(), machine.localMs));
  }

  private onRequest(request: SyncRequest): void {
    const { flows } = this;
    const now = this.machine.localMs;
    switch (request.kind) {
      case "self":
        return this.carryOut(flows.onSelf(request.self, now));
      case "peerUp":
        return this.carryOut(flows.onPeerUp(request.peer, now));
      case "peerDown":
        return this.carryOut(flows.onPeerDown(request.peer, now));
      case "body":
        return this.carryOut(flows.onBody(request.from, request.body, now));
      case "sent":
        return this.carryOut(flows.onSent(request.from, request.sequence, now));
      case "ask":
        return this.carryOut(flows.onAsk(request.atMs));
      case "want":
        this.hear();
        return this.carryOut(flows.onWant(request, now));
      case "range":
        return this.carryOut(flows.onRange(request.owned, request.epoch, now));
      case "end":
        return;
    }
  }

  private carryOut(outputs: readonly FlowOutput[]): void {
    const { machine, process, flows } = this;
    for (const output of outputs) {
      machine.scene.watch.onFlowOutput(machine, process, output);
      switch (output.kind) {
        case "kernel":
          machine.kernel.carryOut(output.op, output.record as Flow);
          break;
        case "dump":
          this.startDump();
          break;
        case "event":
          break;
        default:
          this.port.postMessage({ ...output, incarnation: flows.broadcast.self.incarnation });
      }
    }
  }

  private startDump(): void {
    const { agenda, random } = this.machine.scene;
    const { kernel } = this.machine;
    const dump: Dump = { records: [], isDone: false };
    this.dump = dump;
    for (let part = 0; part < DUMP_PARTS; part++) {
      const ms = (kernel.dumpMs * (part + random.next())) / DUMP_PARTS;
      agenda.in(ms, () => {
        if (this.dump === dump) dump.records.push(...kernel.part(part, DUMP_PARTS));
      });
    }
    agenda.in(kernel.dumpMs, () => {
      dump.isDone = true;
    });
  }
}
