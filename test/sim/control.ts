/**
 * The control thread without its sockets: what cluster/thread.ts does, on a virtual machine. The
 * reducer, the proxy of the sync thread and the shared memory are the program's own.
 */
import type { MessagePort } from "node:worker_threads";
import type { State } from "../../src/cluster/frame/kind.js";
import { ClusterNode } from "../../src/cluster/node.js";
import type { Output } from "../../src/cluster/output.js";
import { type Bitmap, emptyBitmap } from "../../src/cluster/ranges/bitmap.js";
import { type ClusterSettings, clusterSettings } from "../../src/cluster/settings.js";
import { Replication } from "../../src/cluster/sync/replication.js";
import { AES_GCM } from "../../src/cluster/transport/seal.js";
import { publishBitmap } from "../../src/state/bucket-set.js";
import { revokeLease, writeLease } from "../../src/state/lease-word.js";
import { CHEAP_SEAL } from "./cheap-seal.js";
import type { Machine, Process } from "./machine.js";
import { CLUSTER, type Datagram } from "./network.js";
import type { SimSettings } from "./plan.js";

const SECRET = new Uint8Array(32).fill(7);
/** A time-out in the kernel fires up to so many milliseconds late. */
const KERNEL_LATE_MS = 10;

export function controlSettings(id: number, sim: SimSettings, size: number): ClusterSettings {
  const { buckets, links, heartbeatMs, failureMs, isolation } = sim;
  return clusterSettings({
    ...{ id, name: CLUSTER, secret: SECRET, configDigest: 1n, size },
    ...{ buckets, links, heartbeatMs, failureMs, isolation },
  });
}

export class Control {
  readonly node: ClusterNode;
  readonly replication: Replication;
  /** Until when this node may accept, by its own clock, and what. */
  untilMs = Number.NEGATIVE_INFINITY;
  owned: Bitmap;
  halted = "";
  /** As the node last said. */
  state: State = "joining";
  view: readonly number[] = [];
  private turnedMs = Number.NEGATIVE_INFINITY;
  /** Number of the datagram being taken; 0: none. */
  taking = 0;

  constructor(
    private readonly machine: Machine,
    private readonly process: Process,
    readonly settings: ClusterSettings,
    port: MessagePort,
  ) {
    const { random, sim } = machine.scene;
    this.owned = emptyBitmap(settings.buckets);
    const send = (body: Uint8Array) => {
      if (this.process.isRunning) this.carryOut(this.node.sendBody(body));
    };
    // No early drop here: whether flows come back by another bucket makes no difference.
    this.replication = new Replication(port, settings.buckets, send, () => {}, machine.isCold);
    const { isSynced, mayClaim, answeredMs, isUsable } = this.replication;
    const inputs = {
      ...{
        random: () => random.u64(),
        isSynced,
        mayClaim,
        answeredMs,
        ...(isUsable && { isUsable }),
      },
      sealing: sim.seal === "aes" ? AES_GCM : CHEAP_SEAL,
    };
    this.node = new ClusterNode(settings, inputs, machine.localMs);
  }

  /** Ticks if that is due, as far as was known at the last turn or has come since. */
  turn(): void {
    const now = this.machine.localMs;
    const halted = this.process.haltReason(now);
    const dueMs = this.node.nextDue(this.turnedMs);
    this.turnedMs = now;
    if (halted !== this.halted || dueMs <= now + this.machine.scene.sim.tickMs / 2) {
      this.halted = halted;
      this.carryOut(this.node.setStalled(halted !== "", now));
      this.carryOut(this.node.onTick(now));
    }
    this.machine.scene.watch.onTurn(this.machine, this.process);
  }

  take(datagram: Datagram): void {
    const { watch } = this.machine.scene;
    this.taking = datagram.number;
    watch.beforeDatagram(this.process, datagram);
    const outputs = this.node.onDatagram(this.machine.localMs, datagram.link, datagram.bytes);
    watch.afterDatagram(this.process, datagram, outputs);
    this.taking = 0;
    this.carryOut(outputs);
  }

  /** In the given order: the lease stands before the heartbeat that tells of it. */
  carryOut(outputs: readonly Output[]): void {
    const { machine, process } = this;
    const { links, watch } = machine.scene;
    for (const output of outputs) {
      watch.onOutput(machine, process, output);
      switch (output.kind) {
        case "send":
          links.spread(machine, output.link, output.bytes);
          break;
        case "lease":
          this.grant(output.untilMs, output.owned);
          break;
        case "revoke":
          this.revoke();
          break;
        case "up":
          this.replication.tell(output.input);
          break;
        case "left":
        case "fatal":
          machine.endSoon(process, output.kind);
          break;
        case "drained":
          process.hasDrained = true;
          break;
        case "event":
          if (output.event.name === "state") this.state = output.event.state;
          if (output.event.name === "view") this.view = output.event.members;
          break;
      }
    }
  }

  private grant(untilMs: number, owned: Bitmap): void {
    const { machine, process } = this;
    const leaseMs = untilMs - machine.localMs;
    if (leaseMs <= 0) return;
    const lateMs = machine.scene.random.between(0, KERNEL_LATE_MS);
    machine.kernel.lease(owned, leaseMs / machine.rate + lateMs);
    const { state } = process;
    publishBitmap(state.owned, owned);
    writeLease(state.words, state.leaseAt, untilMs);
    this.replication.leased(owned, this.node.epoch);
    this.untilMs = untilMs;
    this.owned = owned;
    machine.reachChanged();
  }

  private revoke(): void {
    const { machine, process } = this;
    const { state } = process;
    revokeLease(state.words, state.leaseAt);
    state.owned.fill(0);
    machine.kernel.lease(emptyBitmap(this.settings.buckets), 0);
    this.replication.leased(null, this.node.epoch);
    this.untilMs = Number.NEGATIVE_INFINITY;
    machine.reachChanged();
  }
}
