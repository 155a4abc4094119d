/**
 * The sync thread: the reducer of flows/sync.ts, tied to the kernel's connection tracking and to
 * the control thread, which owns the links. It is apart from control so that a large table or a
 * slow answer of the kernel never delays a heartbeat.
 */
import { parentPort, workerData } from "node:worker_threads";
import { Alarm } from "../../platform/alarm.js";
import { bootMs } from "../../platform/clock.js";
import { random64 } from "../../platform/random.js";
import { enterThread } from "../../platform/threads.js";
import { MarkField } from "../../state/mark-field.js";
import { describe, describeOut } from "../flows/description.js";
import { nextDueOf } from "../flows/due.js";
import type { Held } from "../flows/hold.js";
import type { FlowOutput } from "../flows/output.js";
import type { Replicated } from "../flows/record.js";
import { flowSettings } from "../flows/settings.js";
import { FlowSync } from "../flows/sync.js";
import { LINGER_MS, TICK_MS, UNREPLIED_WINDOWS } from "../limits.js";
import type { Bitmap } from "../ranges/bitmap.js";
import { isKeptOut } from "./cold.js";
import { Detours } from "./detours.js";
import { isReplicable } from "./filter.js";
import { HeldReplies } from "./held-replies.js";
import { KernelFlows } from "./kernel-flows.js";
import type { SyncNews, SyncQuery, SyncReply, SyncRequest, SyncThreadData } from "./messages.js";
import { inScope } from "./scope.js";
import { snapshotOf } from "./snapshot.js";

/**
 * Milliseconds that a newborn flow is kept back undecoded, at most half of the window, of which it
 * is a part. Longer than a request to a nearby server takes.
 */
const SIEVE_MS_MAX = 100;
/** Behind the control thread, before ordinary load: late replicas are lost connections. */
const SCHEDULING = { nice: -5 };

class SyncThread {
  private readonly kernel: KernelFlows;
  private readonly sync: FlowSync;
  private readonly held: HeldReplies | null;
  private readonly alarm = new Alarm(() => this.onTick());
  private readonly detours: Detours | null;
  private isStraight = false;
  private isAttending = true;
  /** The next turn before a tick, where flows wait to be put into the kernel. */
  private turn: NodeJS.Immediate | null = null;

  constructor(private readonly data: SyncThreadData) {
    const { control, node, buckets, windowMs, flowsMax, holdMs, earlyDrop, cold } = data;
    const { isOpenerHashed } = data;
    this.detours = earlyDrop && new Detours(earlyDrop.translated, flowsMax);
    const field = new MarkField(data.markMask);
    // Of a flow whose reply is held, everything is asked at once.
    const sieveMs = holdMs > 0 ? 0 : Math.min(SIEVE_MS_MAX, windowMs >> 1);
    const sieve = sieveMs > 0 ? { waitMs: sieveMs, isPlainOnly: earlyDrop !== null } : null;
    this.kernel = new KernelFlows(field, data.eventBufferBytes, sieve);
    const random32 = () => Number(random64() & 0xffffffffn);
    const [isReplicated, isInScope] = [isReplicable(data.protocols), inScope(data.scope)];
    const isWanted = (record: Replicated) => isReplicated(record) && isInScope(record);
    const isBlind = earlyDrop?.isBlind ?? false;
    const mayBeOut = cold && isKeptOut(cold, isOpenerHashed);
    const settings = flowSettings({
      ...{ node, buckets, flowsMax, holdMs, random32, isWanted, isBlind, mayBeOut, isOpenerHashed },
      windowMs: windowMs - sieveMs,
      unrepliedMs: windowMs * UNREPLIED_WINDOWS - sieveMs,
    });
    this.sync = new FlowSync(settings, bootMs());
    const onHeld = (held: readonly Held[]) => this.onHeld(held);
    this.held = holdMs > 0 ? new HeldReplies(field, data.holdWakeFd, onHeld) : null;
    control.on("message", (request: SyncRequest) => {
      this.onRequest(request);
      this.attend();
      this.setAlarm();
    });
    parentPort?.on("message", (query: SyncQuery) => {
      this.onQuery(query);
      this.setAlarm();
    });
    this.alarm.setFor(bootMs());
  }

  /** What the kernel said before about these flows is heard first. */
  private onHeld(held: readonly Held[]): void {
    this.hearKernel();
    this.carryOut(this.sync.onHeld(held, bootMs()));
    this.setAlarm();
  }

  /**
   * At most every TICK_MS, so that events are read many at once; while none come, the thread sleeps
   * until something is due.
   */
  private onTick(): void {
    const { kernel, sync } = this;
    const hasHeard = this.hearKernel();
    if (kernel.events.takeLoss()) this.onUnheard(true);
    const dumped = kernel.readDump();
    if (dumped !== null) {
      this.hearKernel(); // what was kept back until then is older
      this.detours?.onDump(dumped);
      this.carryOut(sync.onDump(dumped, bootMs()));
    }
    this.tellDetours();
    this.carryOut(sync.onTick(bootMs()));
    if (hasHeard) this.alarm.setFor(this.sync.tickedMs + TICK_MS);
    else this.kernel.awaitEvents(() => this.alarm.setFor(this.sync.tickedMs + TICK_MS));
    this.setAlarm();
  }

  /** Alone, with all buckets, a node has nobody to tell of its flows: the kernel need not speak. */
  private attend(): void {
    const { broadcast, ledger } = this.sync;
    const isAlone = broadcast.peers().length === 0 && ledger.ownsAll;
    if (isAlone !== this.isAttending) return;
    this.isAttending = this.kernel.events.attend(!isAlone);
    if (!isAlone) this.onUnheard(false);
  }

  private onUnheard(isLoss: boolean): void {
    this.detours?.onLoss();
    this.carryOut(this.sync.onUnheard(isLoss, bootMs()));
  }

  /** After each input: what it brought may make the next tick due earlier. */
  private setAlarm(): void {
    const dueMs = Math.min(nextDueOf(this.sync), this.kernel.dueMs);
    this.alarm.setFor(Math.max(this.sync.tickedMs + TICK_MS, dueMs));
  }

  /** Whether there was anything to be heard. */
  private hearKernel(): boolean {
    const events = this.kernel.readEvents();
    this.detours?.onEvents(events);
    this.carryOut(this.sync.onEvents(events, bootMs()));
    return this.kernel.hasRead;
  }

  /** What waits for its flows does not wait for the next tick. */
  private goOn(): void {
    if (this.turn !== null || !this.sync.shelf.residence?.isInstalling) return;
    this.turn = setImmediate(() => {
      this.turn = null;
      this.hearKernel(); // of what was created before: its buffer is bounded
      this.carryOut(this.sync.onTurn(bootMs()));
    });
  }

  private tellDetours(): void {
    const isStraight = this.detours?.areNone ?? false;
    if (isStraight === this.isStraight) return;
    this.isStraight = isStraight;
    this.data.control.postMessage({ kind: "straight", isStraight } satisfies SyncReply);
  }

  private onRequest(request: SyncRequest): void {
    const now = bootMs();
    switch (request.kind) {
      case "self":
        return this.carryOut(this.sync.onSelf(request.self, now));
      case "peerUp":
        return this.carryOut(this.sync.onPeerUp(request.peer, now));
      case "peerDown":
        return this.carryOut(this.sync.onPeerDown(request.peer, now));
      case "body":
        return this.carryOut(this.sync.onBody(request.from, request.body, now));
      case "sent":
        return this.carryOut(this.sync.onSent(request.from, request.sequence, now));
      case "ask":
        return this.carryOut(this.sync.onAsk(request.atMs));
      case "want":
        this.hearKernel(); // that it has deleted what is now to come back
        return this.carryOut(this.sync.onWant(request, bootMs()));
      case "range":
        return this.onRange(request.owned, request.epoch, now);
      case "end":
        return this.end();
    }
  }

  /** A flow that was let in just now is judged by the new range, and by the old one for a while. */
  private onRange(owned: Bitmap, epoch: number, now: number): void {
    this.carryOut(this.sync.onRange(owned, epoch, now));
    this.kernel.hurry(now + LINGER_MS);
    this.hearKernel();
  }

  private carryOut(outputs: readonly FlowOutput[]): void {
    for (const output of outputs) {
      switch (output.kind) {
        case "kernel":
          this.kernel.wish(output.op, output.record);
          break;
        case "dump":
          this.kernel.startDump();
          break;
        case "release":
          this.held?.release(output.tickets);
          break;
        case "event":
          this.news({ kind: "event", event: output.event });
          break;
        default: {
          // What a peer is told to be ready must be in the kernel first.
          this.kernel.settle();
          const { incarnation } = this.sync.broadcast.self;
          this.data.control.postMessage({ ...output, incarnation } satisfies SyncReply);
        }
      }
    }
    this.kernel.settle();
    this.goOn();
  }

  private onQuery(query: SyncQuery): void {
    switch (query.kind) {
      case "snapshot":
        return this.report();
      case "resync":
        return this.carryOut(this.sync.onResync(bootMs()));
      case "describe":
        return this.news({ kind: "described", flows: describe(this.sync, query.keys, bootMs()) });
      case "out":
        return this.news({ kind: "out", out: describeOut(this.sync, query.from, bootMs()) });
    }
  }

  private report(): void {
    const snapshot = snapshotOf(this.sync, this.kernel, this.isAttending);
    this.news({ kind: "snapshot", snapshot });
  }

  private news(news: SyncNews): void {
    parentPort?.postMessage(news);
  }

  private end(): void {
    this.alarm.close();
    if (this.turn !== null) clearImmediate(this.turn);
    this.kernel.close();
    this.held?.close();
    this.data.control.close();
    parentPort?.close();
  }
}

enterThread("sw-sync", SCHEDULING);
new SyncThread(workerData as SyncThreadData);
