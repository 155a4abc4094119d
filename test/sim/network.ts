/**
 * The links between machines: each datagram to each receiver has its own fate on each link. What
 * attackers may use of it is here too: recordings of what passed, and bytes of their own.
 */
import { encodeHeader, HEADER_BYTES } from "../../src/cluster/frame/header.js";
import { clusterIdOf, TAG_BYTES } from "../../src/cluster/transport/seal.js";
import type { Agenda } from "./agenda.js";
import { CALM, type Fault, type Network } from "./plan.js";
import type { Random } from "./random.js";

export const CLUSTER = "sim";

/** What happened to a copy of a datagram on its way. */
export type Fate = "whole" | "damaged" | "replayed" | "forged";

export interface Datagram {
  readonly from: number;
  readonly link: number;
  readonly bytes: Uint8Array;
  readonly fate: Fate;
  /** Number of the datagram as it was sent; copies share it. */
  readonly number: number;
}

export interface Receiver {
  readonly id: number;
  receive(datagram: Datagram): void;
}

type Partition = Extract<Fault, { kind: "partition" }>;

const RECORDED_MAX = 600;

export class Links {
  /** The network of now: the plan's, or that of the faults under way. */
  network: Network = CALM;
  sent = 0;
  private readonly partitions = new Set<Partition>();
  private readonly blocked = new Map<number, number>();
  private readonly recorded: Datagram[] = [];
  /** Whether somebody records. */
  isRecording = false;

  constructor(
    private readonly agenda: Agenda,
    private readonly random: Random,
    private readonly receivers: () => readonly Receiver[],
  ) {}

  cut(partition: Partition): void {
    this.partitions.add(partition);
    this.block(partition, 1);
  }

  heal(partition: Partition): void {
    if (this.partitions.delete(partition)) this.block(partition, -1);
  }

  get isWhole(): boolean {
    return this.partitions.size === 0;
  }

  passes(from: number, to: number, link: number): boolean {
    if (this.blocked.size === 0) return true;
    return !this.blocked.get(nameOf(from, to, -1)) && !this.blocked.get(nameOf(from, to, link));
  }

  /** Sends from a machine to all others. */
  spread(sender: Receiver, link: number, bytes: Uint8Array): void {
    this.sent += 1;
    const datagram: Datagram = { from: sender.id, link, bytes, fate: "whole", number: this.sent };
    if (this.isRecording) this.record(datagram);
    const { loss, duplication } = this.network;
    for (const to of this.receivers()) {
      if (to === sender || !this.passes(sender.id, to.id, link)) continue;
      if (this.random.chance(loss)) continue;
      this.post(to, datagram);
      if (this.random.chance(duplication)) this.post(to, datagram);
    }
  }

  /** Sends a recorded datagram again, to one machine. */
  replay(): void {
    if (this.recorded.length === 0) return;
    const to = this.random.pick(this.receivers());
    this.post(to, { ...this.random.pick(this.recorded), fate: "replayed" });
  }

  /** Sends what somebody without the secret can make. */
  forge(): void {
    const to = this.random.pick(this.receivers());
    const from = this.random.pick(this.receivers()).id;
    const known = this.recorded.length > 0 ? this.random.pick(this.recorded).bytes : null;
    const bytes = known && this.random.chance(0.7) ? this.damage(known) : this.invent(from);
    this.sent += 1;
    this.post(to, { from, link: 0, bytes, fate: "forged", number: this.sent });
  }

  private post(to: Receiver, datagram: Datagram): void {
    const { corruption, delayMs } = this.network;
    const isDamaged = this.random.chance(corruption);
    const copy: Datagram = isDamaged
      ? { ...datagram, bytes: this.damage(datagram.bytes), fate: "damaged" }
      : datagram;
    const delay = delayMs[0] + this.random.around(delayMs[1]);
    this.agenda.in(delay, () => to.receive(copy));
  }

  private damage(bytes: Uint8Array): Uint8Array {
    if (this.random.chance(0.2)) return bytes.slice(0, this.random.below(bytes.length));
    const damaged = bytes.slice();
    for (let flips = 1 + this.random.below(3); flips > 0; flips--) {
      const at = this.random.below(damaged.length);
      damaged[at] ^= 1 << this.random.below(8);
    }
    return damaged.every((byte, at) => byte === bytes[at]) ? bytes.slice(1) : damaged;
  }

  private invent(sender: number): Uint8Array {
    const header = encodeHeader({
      ...{ sender, link: 0, cluster: clusterIdOf(CLUSTER) },
      ...{ incarnation: this.random.u64(), counter: this.random.below(1000) },
    });
    const bytes = new Uint8Array(HEADER_BYTES + this.random.below(200) + TAG_BYTES);
    for (let at = 0; at < bytes.length; at++) bytes[at] = this.random.below(256);
    bytes.set(header);
    return bytes;
  }

  private record(datagram: Datagram): void {
    if (this.recorded.length < RECORDED_MAX) this.recorded.push(datagram);
    else this.recorded[this.random.below(RECORDED_MAX)] = datagram;
  }

  private block({ cuts, link }: Partition, by: 1 | -1): void {
    for (const [from, to] of cuts) {
      const name = nameOf(from, to, link);
      const count = (this.blocked.get(name) ?? 0) + by;
      if (count === 0) this.blocked.delete(name);
      else this.blocked.set(name, count);
    }
  }
}

function nameOf(from: number, to: number, link: number): number {
  return (from * 256 + to) * 8 + link + 1;
}
