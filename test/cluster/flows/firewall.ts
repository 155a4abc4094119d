/**
 * All layers of a node together, joined as the control and the sync thread join them, with a kernel
 * that tells of each change of its table.
 */
import type { FlowOutput, KernelEvent, KernelOp } from "../../../src/cluster/flows/output.js";
import type { Replicated } from "../../../src/cluster/flows/record.js";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { type FlowSettings, flowSettings } from "../../../src/cluster/flows/settings.js";
import { FlowSync } from "../../../src/cluster/flows/sync.js";
import type { FlowInput, Output } from "../../../src/cluster/output.js";
import { hasBucket } from "../../../src/cluster/ranges/bitmap.js";
import { World } from "../harness.js";
import type { Machine } from "../machine.js";
import { flow } from "./flows.js";

export const BUCKETS = 64;

/** A machine with the flows of its kernel, and its replication. */
export class Firewall {
  readonly kernel = new Map<string, Replicated>();
  readonly heard: FlowInput[] = [];
  readonly machine: Machine;
  sync: FlowSync;
  private isSynced = true;
  private ready: (bucket: number, owner: number) => boolean = () => false;
  private usable: (bucket: number) => boolean = () => false;
  /** What the kernel has not told yet. */
  private events: KernelEvent[] = [];
  /** Called with each change of the kernel that replication asks for. */
  onChange: (op: KernelOp, record: Replicated) => void = () => {};

  /** @param isCold whether its replicas come into the kernel with their bucket */
  constructor(
    private readonly world: World,
    id: number,
    private readonly isCold = false,
  ) {
    this.sync = this.newSync(id);
    const inputs = {
      isSynced: () => this.isSynced,
      mayClaim: (bucket: number, owner: number) => this.ready(bucket, owner),
      ...(isCold && { isUsable: (bucket: number) => this.usable(bucket) }),
    };
    this.machine = world.add(id, {}, inputs);
    this.begin();
  }

  /** Starts a machine that has crashed, with these flows in its kernel. */
  restart(left: readonly Replicated[] = []): void {
    this.kernel.clear();
    this.events = [];
    for (const record of left) this.kernel.set(keyOf(record), record);
    this.sync = this.newSync(this.machine.id);
    this.world.start(this.machine);
    this.begin();
  }

  owns(bucket: number): boolean {
    return this.machine.node !== null && hasBucket(this.machine.owned, bucket);
  }

  opens(record: Replicated): void {
    this.kernel.set(keyOf(record), record);
    this.carry(this.sync.onEvents([{ kind: "alive", record }], this.world.now));
  }

  ends(record: Replicated): void {
    this.kernel.delete(keyOf(record));
    this.carry(this.sync.onEvents([{ kind: "gone", record }], this.world.now));
  }

  /** As after ENOBUFS. */
  loseEvents(): void {
    this.carry(this.sync.onUnheard(true, this.world.now));
  }

  send(body: Uint8Array): void {
    this.world.act(this.machine, (node) => node.sendBody(body));
  }

  private newSync(node: number): FlowSync {
    const { world } = this;
    const random32 = () => Math.floor(world.random() * 2 ** 32);
    const cold: Partial<FlowSettings> = this.isCold ? { mayBeOut: () => true } : {};
    return new FlowSync(flowSettings({ node, buckets: BUCKETS, random32, ...cold }), world.now);
  }

  /** Listens to everything the node says, before the world carries it out. */
  private begin(): void {
    const { node } = this.machine;
    if (!node) return;
    const { incarnation } = node.snapshot(this.world.now);
    this.carry(this.sync.onSelf({ node: this.machine.id, incarnation }, this.world.now));
    const onDatagram = node.onDatagram.bind(node);
    node.onDatagram = (...args) => this.listen(onDatagram(...args));
    const onTick = node.onTick.bind(node);
    node.onTick = (now) => {
      this.hearKernel();
      this.carry(this.sync.onTick(now));
      return this.listen(onTick(now));
    };
  }

  private listen(outputs: Output[]): Output[] {
    const { now } = this.world;
    for (const output of outputs) {
      if (output.kind === "up") this.hear(output.input);
      else if (output.kind === "lease") {
        const epoch = this.machine.node?.snapshot(now).epoch ?? 0;
        this.carry(this.sync.onRange(output.owned, epoch, now));
      } else if (output.kind === "revoke") {
        this.carry(this.sync.onRange(new Uint32Array(BUCKETS / 32), 0, now));
      }
    }
    return outputs;
  }

  private hear(input: FlowInput): void {
    this.heard.push(input);
    const { now } = this.world;
    switch (input.kind) {
      case "self":
        return this.carry(this.sync.onSelf(input.self, now));
      case "peerUp":
        return this.carry(this.sync.onPeerUp(input.peer, now));
      case "peerDown":
        return this.carry(this.sync.onPeerDown(input.peer, now));
      case "body":
        return this.carry(this.sync.onBody(input.from, input.body, now));
      case "sent":
        return this.carry(this.sync.onSent(input.from, input.sequence, now));
      case "want":
        this.hearKernel();
        return this.carry(this.sync.onWant(input, now));
    }
  }

  private carry(outputs: readonly FlowOutput[]): void {
    for (const output of outputs) {
      if (output.kind === "send") this.send(output.body);
      else if (output.kind === "synced") this.isSynced = output.isSynced;
      else if (output.kind === "ready") this.ready = (at, owner) => output.owners[at] === owner;
      else if (output.kind === "usable") this.usable = (at) => hasBucket(output.buckets, at);
      else if (output.kind === "dump") {
        this.carry(this.sync.onDump([...this.kernel.values()], this.world.now));
      } else if (output.kind === "kernel") this.change(output.op, output.record);
    }
  }

  private hearKernel(): void {
    const events = this.events;
    this.events = [];
    this.carry(this.sync.onEvents(events, this.world.now));
  }

  private change(op: KernelOp, record: Replicated): void {
    const key = keyOf(record);
    const isKnown = this.kernel.has(key);
    this.onChange(op, record);
    if (op === "delete") {
      if (this.kernel.delete(key)) this.events.push({ kind: "gone", record });
    } else if (isKnown || op === "create") {
      this.kernel.set(key, record);
      this.events.push({ kind: "alive", record });
    }
  }
}

/** Nodes that have settled. @param cold ids of those whose replicas are cold */
export function start(
  seed: number,
  ids: readonly number[],
  cold: readonly number[] = [],
): { world: World; walls: Firewall[] } {
  const world = new World(seed, BUCKETS);
  const walls = ids.map((id) => new Firewall(world, id, cold.includes(id)));
  if (world.runUntil(15_000, () => world.isSettled(ids)) === null) {
    throw new Error(`seed ${seed}: not settled: ${JSON.stringify(world.accepted())}`);
  }
  return { world, walls };
}

/** Opens `count` flows at their owners and waits until they are told. */
export function openFlows(world: World, walls: readonly Firewall[], count: number): Replicated[] {
  const records = Array.from({ length: count }, (_, index) => flow(index, index % BUCKETS));
  for (const record of records) walls.find((wall) => wall.owns(record.bucket))?.opens(record);
  world.run(700);
  return records;
}

export const owner = (walls: readonly Firewall[], { bucket }: Replicated) =>
  walls.find((wall) => wall.owns(bucket)) as Firewall;
