/**
 * The packet loop. Read downward: that is the way of a packet.
 *
 *     capture/ -> dissect/ -> flow/ -> decide/ -> verdict -> count
 *
 * A batch costs two system calls and two crossings of the native border; nothing is allocated in
 * between.
 */
import { bootMs } from "../platform/clock.js";
import { BATCH_MAX, DESCRIPTOR } from "../platform/native.js";
import { type Counters, EXTRA } from "../state/counters.js";
import type { SharedState } from "../state/layout.js";
import { leaseLeft } from "../state/lease-word.js";
import type { MarkField } from "../state/mark-field.js";
import { NO_SLICE } from "../state/port-slices.js";
import { accepts, Reason } from "../state/reason.js";
import { type Batch, NF_ACCEPT, NF_DROP } from "./batch.js";
import type { Capture } from "./capture/capture.js";
import { DecideOption, decide, Flow, flowOf, NO_BUCKET } from "./decide/decide.js";
import { Status } from "./dissect/bytes.js";
import { dissect } from "./dissect/dissect.js";
import { Field, newPacket } from "./dissect/packet.js";
import type { BucketHash } from "./flow/bucket.js";
import type { FlowMirror } from "./flow/flow-mirror.js";
import type { TranslatedPorts } from "./flow/translated-ports.js";

/** Longest wait for a packet, milliseconds: an idle worker shows this often that it is alive. */
const WAIT_MS = 20;

export interface WorkerParts {
  readonly index: number;
  readonly state: SharedState;
  readonly capture: Capture;
  readonly batch: Batch;
  readonly hash: BucketHash;
  readonly mark: MarkField;
  /** Take over connections whose beginning was not seen. */
  readonly pickup: boolean;
  /** Flows seen before; null where every packet names the bucket of its flow by itself. */
  readonly mirror: FlowMirror | null;
  readonly translated: TranslatedPorts;
}

export class Worker {
  private readonly counters: Counters;
  /** What was dissected, by the packet's index in its batch. */
  private readonly packets = Array.from({ length: BATCH_MAX }, newPacket);
  private readonly options: number;

  constructor(private readonly parts: WorkerParts) {
    this.counters = parts.state.counters(parts.index);
    this.counters.recover();
    this.options =
      (parts.pickup ? DecideOption.PICKUP : 0) | (parts.hash.symmetric ? 0 : DecideOption.OPENER);
  }

  /** Runs until the node stops. @throws OpError when the capture is gone */
  run(): void {
    while (!this.parts.state.stopRequested) this.breathe();
  }

  /** One batch, from the kernel to the kernel. */
  breathe(): void {
    const { capture, batch, state, index, mirror } = this.parts;
    capture.receive(batch, WAIT_MS);
    const nowMs = bootMs();
    state.markWorkerAlive(index, nowMs);
    if (batch.count === 0) return;
    const leased = this.isLeased();
    mirror?.begin(nowMs);
    this.readAll();
    mirror?.fetch();
    this.judgeAll(leased);
    const leftMs = this.leaseLeftMs();
    this.conclude();
    const unleased = leftMs <= 0 ? this.unleased() : 0;
    capture.settle(batch);
    this.count(unleased);
  }

  /** Loops of their own: the compiler inlines only so much into each function. */
  private readAll(): void {
    const { batch } = this.parts;
    for (let i = 0; i < batch.count; i++) batch.reasons[i] = this.read(i);
  }

  private judgeAll(leased: boolean): void {
    const { batch } = this.parts;
    for (let i = 0; i < batch.count; i++) batch.reasons[i] = this.judge(i, leased);
  }

  private leaseLeftMs(): number {
    const { words, leaseAt } = this.parts.state;
    return leaseLeft(words, leaseAt, bootMs());
  }

  private isLeased(): boolean {
    return this.leaseLeftMs() > 0;
  }

  /**
   * Dissects packet `i`; returns `OK` or the reason to drop it.
   *
   * Every node sees every packet: one that ended the thread here would end it everywhere, again and
   * again, as long as somebody sends it. So a bug costs the packet that meets it, and is counted;
   * the same in `judge`.
   */
  private read(i: number): number {
    const { batch, mark, mirror } = this.parts;
    const packet = this.packets[i] as Int32Array;
    try {
      const at = batch.word(i, DESCRIPTOR.OFFSET);
      const status = dissect(batch.bytes, at, at + batch.word(i, DESCRIPTOR.CAPTURED), packet);
      if (status !== Status.OK || mirror === null) return status;
      if (mark.bucketOf(batch.word(i, DESCRIPTOR.MARK)) === NO_BUCKET) mirror.ask(i, packet);
      return Status.OK;
    } catch {
      return Reason.FAULT;
    }
  }

  private judge(i: number, leased: boolean): number {
    try {
      return this.reasonFor(i, leased);
    } catch {
      return Reason.FAULT;
    }
  }

  /** The reason for packet `i`; leaves the mark that an accepted packet carries on. */
  private reasonFor(i: number, leased: boolean): number {
    const { batch, hash, mark, state, mirror, translated } = this.parts;
    const packet = this.packets[i] as Int32Array;
    const status = batch.reasons[i] as number;
    const kind = packet[Field.CLASS] as number;
    const given = batch.word(i, DESCRIPTOR.MARK);
    if (!mark.isCluster(given)) {
      return decide(leased, status, kind, Flow.OUTSIDE, NO_BUCKET, state.owned, this.options);
    }
    let known = mark.bucketOf(given);
    if (known === NO_BUCKET && status === Status.OK && mirror !== null) known = mirror.find(i);
    const flow = flowOf(known, state.owned);
    let bucket = known;
    let options = this.options;
    if (flow === Flow.NONE && status === Status.OK) {
      bucket = translated.bucketOf(packet);
      // A translated port names the bucket whoever opened the flow.
      if (bucket !== NO_SLICE) options &= ~DecideOption.OPENER;
      else bucket = hash.bucketOf(hash.hash(packet));
    }
    batch.marks[i] = bucket === NO_BUCKET ? given : mark.with(given, bucket);
    const reason = decide(leased, status, kind, flow, bucket, state.owned, options);
    if (reason === Reason.FOREIGN_NEW && mirror !== null) mirror.remember(i, kind, bucket);
    return reason;
  }

  /** A pause may have come in between: what was accepted under a lease that is over is dropped. */
  private conclude(): void {
    const { batch } = this.parts;
    const { reasons, verdicts, count } = batch;
    if (!this.isLeased()) reasons.fill(Reason.LEASE_EXPIRED, 0, count);
    for (let i = 0; i < count; i++) {
      verdicts[i] = accepts(reasons[i] as number) ? NF_ACCEPT : NF_DROP;
    }
  }

  /**
   * Packets that are about to be accepted although there was no lease before `conclude` and there
   * is none now: what must never happen. One look alone would not do: a lease may just have begun.
   */
  private unleased(): number {
    const { verdicts, count } = this.parts.batch;
    if (this.leaseLeftMs() > 0) return 0;
    let accepted = 0;
    for (let i = 0; i < count; i++) if (verdicts[i] === NF_ACCEPT) accepted += 1;
    return accepted;
  }

  /** @param unleased packets of the batch that were accepted without a lease */
  private count(unleased: number): void {
    const { counters } = this;
    const { batch, capture } = this.parts;
    counters.begin();
    counters.add(EXTRA.SEEN, batch.count);
    counters.add(EXTRA.BATCHES, 1);
    for (let i = 0; i < batch.count; i++) counters.add(batch.reasons[i] as number, 1);
    counters.setLosses(capture.losses);
    counters.add(EXTRA.UNLEASED, unleased);
    counters.set(EXTRA.EVICTED, this.parts.mirror?.evicted ?? 0);
    counters.end();
  }
}
