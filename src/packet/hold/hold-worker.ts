/**
 * Holds the first reply of each flow until the peers have the flow.
 *
 *     kernel --> dissect --> asked about lately?  no --> slot, question --> sync thread
 *                               | yes                                            |
 *     kernel <-- lease? <-------+---------------- answer, or holdMs are over <---'
 *
 * What does not fit into the slots is let through at once and counted: a held packet is never lost
 * for want of room. The lease is asked when a packet leaves, whatever it was when it came.
 */
import { HELD_PACKETS_MAX, HOLD_GRACE_MS } from "../../config/limits.js";
import { bootMs } from "../../platform/clock.js";
import { BATCH_MAX, DESCRIPTOR } from "../../platform/native.js";
import { type Counters, EXTRA } from "../../state/counters.js";
import { ASK } from "../../state/hold-channel.js";
import type { SharedState } from "../../state/layout.js";
import { leaseLeft } from "../../state/lease-word.js";
import type { MarkField } from "../../state/mark-field.js";
import { accepts } from "../../state/reason.js";
import { type Batch, NF_ACCEPT, NF_DROP } from "../batch.js";
import type { Capture } from "../capture/capture.js";
import { decide, flowOf } from "../decide/decide.js";
import { Status } from "../dissect/bytes.js";
import { dissect } from "../dissect/dissect.js";
import { Field, Kind, newPacket } from "../dissect/packet.js";
import { Answered } from "./answered.js";
import { NO_SLOT, Slots } from "./slots.js";

/** Longest wait for a packet, in milliseconds: without and with packets that are held. */
const WAIT_MS = 20;
const HELD_WAIT_MS = 5;

export interface HoldParts {
  readonly index: number;
  readonly state: SharedState;
  readonly capture: Capture;
  readonly batch: Batch;
  /** Another of the same size: packets leave in another order than they came. */
  readonly leaving: Batch;
  readonly mark: MarkField;
  readonly holdMs: number;
  readonly seed: number;
  /** Asks about the rows in `rows`, which are the caller's again afterwards. */
  ask(rows: Int32Array): void;
  /** Hands each ticket that was answered since the last call to `release`. */
  answers(release: (ticket: number) => void): void;
}

export class HoldWorker {
  private readonly counters: Counters;
  private readonly packet = newPacket();
  private readonly rows = new Int32Array(BATCH_MAX * ASK.WORDS);
  private readonly slots: Slots;
  private readonly answered: Answered;
  private asked = 0;
  private overflow = 0;
  private late = 0;
  private nowMs = 0;
  private readonly release = (ticket: number) => this.onAnswer(ticket);

  constructor(private readonly parts: HoldParts) {
    this.counters = parts.state.counters(parts.index);
    this.counters.recover();
    this.slots = new Slots(Math.floor(bootMs()) | 0);
    this.answered = new Answered(parts.seed);
  }

  /** Runs until the node stops. @throws OpError when the capture is gone */
  run(): void {
    while (!this.parts.state.stopRequested) this.breathe();
  }

  /** Packets in, questions out, answers in, packets out. */
  breathe(): void {
    const { capture, batch, state, index } = this.parts;
    capture.receive(batch, this.slots.used > 0 ? HELD_WAIT_MS : WAIT_MS);
    this.nowMs = bootMs();
    state.markWorkerAlive(index, this.nowMs);
    this.asked = 0;
    for (let i = 0; i < batch.count; i++) this.take(i);
    if (this.asked > 0) this.parts.ask(this.rows.subarray(0, this.asked * ASK.WORDS));
    this.parts.answers(this.release);
    this.expire();
    this.flush();
  }

  private take(i: number): void {
    const { batch } = this.parts;
    const at = batch.word(i, DESCRIPTOR.OFFSET);
    const end = at + batch.word(i, DESCRIPTOR.CAPTURED);
    const [id, mark] = [batch.word(i, DESCRIPTOR.ID), batch.word(i, DESCRIPTOR.MARK)];
    const status = dissect(batch.bytes, at, end, this.packet);
    if (status !== Status.OK) return this.leave(id, mark, status);
    const row = this.asked * ASK.WORDS;
    this.writeRow(row);
    if (this.answered.has(this.rows, row, this.nowMs)) return this.leave(id, mark, Status.OK);
    const slot = this.slots.take();
    if (slot === NO_SLOT) {
      this.overflow += 1;
      return this.leave(id, mark, Status.OK);
    }
    this.slots.ids[slot] = id;
    this.slots.marks[slot] = mark;
    this.slots.places[slot] = this.answered.place;
    this.slots.prints[slot] = this.answered.print;
    this.slots.sinceMs[slot] = this.nowMs;
    this.rows[row + ASK.TICKET] = this.slots.ticketOf(slot);
    this.asked += 1;
  }

  private writeRow(row: number): void {
    const { rows, packet } = this;
    rows[row + ASK.FAMILY] = packet[Field.FAMILY] as number;
    rows[row + ASK.PROTOCOL] = packet[Field.PROTOCOL] as number;
    rows[row + ASK.SRC_PORT] = packet[Field.SRC_PORT] as number;
    rows[row + ASK.DST_PORT] = packet[Field.DST_PORT] as number;
    for (let word = 0; word < 4; word++) {
      rows[row + ASK.SRC + word] = packet[Field.SRC + word] as number;
      rows[row + ASK.DST + word] = packet[Field.DST + word] as number;
    }
  }

  private onAnswer(ticket: number): void {
    const { slots } = this;
    const slot = slots.find(ticket);
    if (slot === NO_SLOT) return; // it has left already
    this.answered.note(slots.places[slot] as number, slots.prints[slot] as number, this.nowMs);
    this.leaveSlot(slot);
  }

  /** The sync thread answers in time; this is for when it does not answer at all. */
  private expire(): void {
    if (this.slots.used === 0) return;
    const beforeMs = this.nowMs - this.parts.holdMs - HOLD_GRACE_MS;
    for (let slot = 0; slot < HELD_PACKETS_MAX; slot++) {
      if (!this.slots.isLate(slot, beforeMs)) continue;
      this.late += 1;
      this.leaveSlot(slot);
    }
  }

  private leaveSlot(slot: number): void {
    const { ids, marks } = this.slots;
    this.leave(ids[slot] as number, marks[slot] as number, Status.OK);
    this.slots.give(slot);
  }

  private leave(id: number, mark: number, status: number): void {
    const { leaving, state, mark: field } = this.parts;
    if (leaving.count === BATCH_MAX) this.flush();
    const i = leaving.count++;
    const bucket = field.bucketOf(mark);
    const isLeased = leaseLeft(state.words, state.leaseAt, bootMs()) > 0;
    const flow = flowOf(bucket, state.owned);
    const reason = decide(isLeased, status, Kind.FOLLOWS, flow, bucket, state.owned, 0);
    leaving.descriptors[i * DESCRIPTOR.STRIDE + DESCRIPTOR.ID] = id;
    leaving.marks[i] = mark;
    leaving.reasons[i] = reason;
    leaving.verdicts[i] = accepts(reason) ? NF_ACCEPT : NF_DROP;
  }

  private flush(): void {
    const { counters } = this;
    const { leaving, capture } = this.parts;
    if (leaving.count > 0) capture.settle(leaving);
    counters.begin();
    counters.add(EXTRA.SEEN, leaving.count);
    for (let i = 0; i < leaving.count; i++) counters.add(leaving.reasons[i] as number, 1);
    counters.setLosses(capture.losses);
    counters.set(EXTRA.HELD, this.slots.used);
    counters.set(EXTRA.HOLD_OVERFLOW, this.overflow);
    counters.set(EXTRA.HOLD_LATE, this.late);
    counters.end();
    leaving.count = 0;
  }
}
