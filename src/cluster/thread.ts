/**
 * The control thread: the reducer of node.ts, tied to sockets, the kernel's lease and the shared
 * memory. It does nothing else, since every delay here is a delay of the heartbeats.
 */
import { parentPort, workerData } from "node:worker_threads";
import { RUNS_MAX } from "../config/limits.js";
import { PassingSet } from "../kernel/bpf/passing.js";
import { KernelLease } from "../kernel/lease.js";
import { Alarm } from "../platform/alarm.js";
import { bootMs } from "../platform/clock.js";
import { random64 } from "../platform/random.js";
import { enterThread } from "../platform/threads.js";
import { publishBitmap } from "../state/bucket-set.js";
import { SharedState } from "../state/layout.js";
import { leaseLeft, revokeLease, writeLease } from "../state/lease-word.js";
import { TICK_MS } from "./limits.js";
import type {
  ControlReply,
  ControlRequest,
  ControlSnapshot,
  ControlThreadData,
} from "./messages.js";
import { ClusterNode } from "./node.js";
import type { Output } from "./output.js";
import { type Bitmap, runsOf } from "./ranges/bitmap.js";
import { SelfCheck } from "./self-check.js";
import { Stalls } from "./stalls.js";
import { Replication } from "./sync/replication.js";
import { UdpLinks } from "./transport/udp.js";

/**
 * A busy machine must not delay the heartbeats. Beside a load that filled both CPUs, an ordinary
 * thread that slept 5 ms overslept by up to 64 ms, one with real-time priority by up to 1 ms
 * (`bench/oversleep.mjs`).
 */
const SCHEDULING = { realtime: 1, nice: -15 };
/** Milliseconds between two tries to renew a lease that the kernel refused. */
const RULES_RETRY_MS = 200;

class ControlThread {
  private readonly state: SharedState;
  private readonly stalls: Stalls;
  private readonly lease: KernelLease;
  private readonly passing: PassingSet | null;
  private readonly links: UdpLinks;
  private readonly node: ClusterNode;
  private readonly replication: Replication;
  private readonly alarm = new Alarm(() => this.onTick());
  private rulesLostMs: number | null = null;
  private halted = "";
  private readonly check = new SelfCheck();

  constructor(private readonly data: ControlThreadData) {
    this.state = new SharedState(data.shared);
    this.stalls = new Stalls(this.state, data);
    this.lease = new KernelLease(data.table, data.markMask, RUNS_MAX);
    this.passing = data.passing && new PassingSet(data.passing);
    this.replication = new Replication(
      data.sync,
      data.settings.buckets,
      (body) => this.carryOut(this.node.sendBody(body)),
      (isStraight) => this.passing?.setActive(isStraight),
      data.isCold,
    );
    const { isSynced, mayClaim, answeredMs, isUsable } = this.replication;
    const asked = { isSynced, mayClaim, answeredMs, ...(isUsable && { isUsable }) };
    const inputs = { random: random64, ...asked };
    this.node = new ClusterNode(data.settings, inputs, bootMs());
    this.links = new UdpLinks(data.links, (link, bytes, address) => {
      this.carryOut(this.node.onDatagram(bootMs(), link, bytes, address));
      this.setAlarm();
    });
    this.alarm.setFor(bootMs());
    parentPort?.on("message", (request: ControlRequest) => this.onRequest(request));
  }

  private onTick(): void {
    const now = bootMs();
    this.halted = this.haltReason(now);
    this.carryOut(this.node.setStalled(this.halted !== "", now));
    this.carryOut(this.node.onTick(now));
    this.check.onEpoch(this.node.epoch);
    this.setAlarm();
  }

  /** After each input: what it brought may make the next tick due earlier. */
  private setAlarm(): void {
    const now = bootMs();
    const dueMs = this.node.nextDue(now);
    this.alarm.setFor(this.halted === "" ? Math.min(dueMs, this.stalls.nextDue(now)) : dueMs);
  }

  /** Why the node keeps silent: threads that stand still, or no rules. */
  private haltReason(now: number): string {
    const reason = this.stalls.reason(now);
    if (reason !== "" || this.rulesLostMs === null) return reason;
    if (now - this.rulesLostMs < RULES_RETRY_MS) return "the kernel refused the lease";
    this.rulesLostMs = null;
    return "";
  }

  private onRequest(request: ControlRequest): void {
    this.carryOutRequest(request);
    this.setAlarm();
  }

  private carryOutRequest(request: ControlRequest): void {
    switch (request.kind) {
      case "fit":
        return this.node.setFit(request.reasons);
      case "probe":
        return this.node.setProbeOk(request.ok);
      case "drain":
        return this.node.drain();
      case "join":
        return this.node.join();
      case "leave":
        return this.carryOut(this.node.leave());
      case "snapshot":
        return this.reply({ kind: "snapshot", snapshot: this.snapshot() });
    }
  }

  private snapshot(): ControlSnapshot {
    const { sent, errors } = this.links;
    const { halted, check, state } = this;
    const snapshot = this.node.snapshot(bootMs());
    const isLeased = leaseLeft(state.words, state.leaseAt, bootMs()) > 0;
    if (isLeased) check.onRange(runsOf(Uint32Array.from(state.owned)), snapshot.leasedRuns);
    return { ...snapshot, sent, socketErrors: errors, halted, invariants: { ...check.counters } };
  }

  /** In the given order: the lease stands before the heartbeat that tells of it. */
  private carryOut(outputs: readonly Output[]): void {
    for (const output of outputs) {
      switch (output.kind) {
        case "send":
          this.links.send(output.link, output.bytes);
          break;
        case "lease":
          if (!this.grant(output.untilMs, output.owned)) return;
          break;
        case "revoke":
          this.revoke();
          break;
        case "left":
          this.end();
          break;
        case "up":
          this.replication.tell(output.input);
          break;
        case "fatal":
          this.reply({ kind: "fatal", message: output.message });
          break;
        default:
          this.reply(output);
      }
    }
  }

  /**
   * Leases in the kernel, then for the workers. False when the kernel refused: the node falls
   * silent.
   */
  private grant(untilMs: number, owned: Bitmap): boolean {
    const { words, leaseAt } = this.state;
    const leaseMs = untilMs - bootMs();
    if (leaseMs <= 0) return true; // paused right here; the reducer will notice with its next tick
    if (!this.inKernel(owned, leaseMs)) return false;
    if (bootMs() >= untilMs) {
      // Paused between the clock and the kernel: the kernel's time-out began too late.
      this.inKernel(null, 0);
      return true;
    }
    this.check.onLease(untilMs - this.data.settings.leaseMs, untilMs, owned);
    publishBitmap(this.state.owned, owned);
    writeLease(words, leaseAt, untilMs);
    this.replication.leased(owned, this.node.epoch);
    return true;
  }

  private revoke(): void {
    this.check.onRevoke();
    revokeLease(this.state.words, this.state.leaseAt);
    this.state.owned.fill(0);
    this.inKernel(null, 0);
    this.replication.leased(null, this.node.epoch);
  }

  /** What is leased passes the early drop before, and what is not no longer does after. */
  private inKernel(owned: Bitmap | null, leaseMs: number): boolean {
    try {
      if (owned !== null) this.passing?.widen(owned);
      this.lease.renew(owned === null ? [] : runsOf(owned), leaseMs);
      this.passing?.narrow(owned);
      return true;
    } catch (error) {
      const isNews = this.rulesLostMs === null;
      this.rulesLostMs = bootMs();
      this.alarm.setFor(this.rulesLostMs + TICK_MS);
      if (isNews) this.reply({ kind: "rulesLost", message: String(error) });
      revokeLease(this.state.words, this.state.leaseAt);
      return false;
    }
  }

  private reply(reply: ControlReply): void {
    parentPort?.postMessage(reply);
  }

  private end(): void {
    this.alarm.close();
    this.links.close();
    this.lease.close();
    this.passing?.close();
    this.replication.end();
    parentPort?.close();
  }
}

enterThread("sw-control", SCHEDULING);
new ControlThread(workerData as ControlThreadData);
