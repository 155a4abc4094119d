/** Collects what `status` shows from the threads, the shared counters and the kernel. */
import { readFileSync } from "node:fs";
import type {
  HoldReport,
  PacketReport,
  PeerReport,
  StatusReport,
  WorkerReport,
} from "../api/report.js";
import type { ControlSnapshot } from "../cluster/messages.js";
import type { Config } from "../config/types.js";
import type { EarlyDrop } from "../kernel/bpf/early-drop.js";
import { readInsertFailed, readQueueDrops } from "../kernel/drops.js";
import { bootMs } from "../platform/clock.js";
import type { Logger } from "../platform/log.js";
import { EXTRA } from "../state/counters.js";
import type { SharedState } from "../state/layout.js";
import { leaseLeft } from "../state/lease-word.js";
import { accepts, REASONS, Reason } from "../state/reason.js";
import type { Control } from "./control.js";
import type { PacketWorkers } from "./packet-workers.js";
import type { SyncThreadProxy } from "./replication.js";
import { syncReport, transportCounters } from "./report-parts.js";
import { RuleWatch } from "./rule-watch.js";

/** What is told is at most so old, in milliseconds: however many ask, control is not delayed. */
const FRESH_MS = 100;
/** Milliseconds after which a thread that does not answer is not waited for. */
const ANSWER_MS = 1000;
/** Silence up to here is what a waiting worker shows; more is a stall. */
const WORKER_SILENCE_MS = 60;

export interface ReporterParts {
  readonly config: Config;
  readonly state: SharedState;
  readonly workers: PacketWorkers;
  readonly control: Control;
  readonly sync: SyncThreadProxy | undefined;
  readonly early: EarlyDrop | null;
  readonly unfit: () => readonly string[];
  readonly log: Logger;
}

const packageFile = new URL("../../package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(packageFile, "utf8")) as { version: string };
const hex = (value: bigint) => value.toString(16).padStart(16, "0");

export class Reporter {
  private readonly startedMs = bootMs();
  private snapshot: ControlSnapshot | null = null;
  private readonly rules: RuleWatch;
  private rateFrom = { atMs: this.startedMs, seen: 0 };
  private perSecond = 0;
  /** What the threads were last asked, and when. */
  private asked: Promise<void> = Promise.resolve();
  private askedMs = Number.NEGATIVE_INFINITY;

  /** @throws OpError */
  constructor(private readonly parts: ReporterParts) {
    this.rules = new RuleWatch(parts.config, parts.log);
  }

  close(): void {
    this.rules.close();
  }

  /** Counts what has happened since the last time; once in a second. */
  onSecond(): void {
    this.rules.watch();
    this.measureRate(bootMs());
  }

  /** The threads are asked only when somebody wants to know. */
  async status(): Promise<StatusReport> {
    if (bootMs() - this.askedMs >= FRESH_MS) {
      this.askedMs = bootMs();
      this.rules.read();
      this.asked = this.ask();
    }
    await (this.snapshot === null ? this.asked : inTime(this.asked, ANSWER_MS));
    return this.report();
  }

  private async ask(): Promise<void> {
    const { control, sync } = this.parts;
    [this.snapshot] = await Promise.all([control.snapshot(), sync?.snapshot()]);
  }

  private report(): StatusReport {
    const { config, state, unfit } = this.parts;
    const snapshot = this.snapshot as ControlSnapshot;
    const { waitingBuckets, leasedLate } = snapshot;
    const left = leaseLeft(state.words, state.leaseAt, bootMs());
    const packets = this.packets();
    return {
      node: config.node,
      cluster: config.cluster.name,
      version,
      state: snapshot.state,
      fit: [...new Set([...unfit(), ...snapshot.reasons, snapshot.halted])].filter(Boolean),
      epoch: snapshot.epoch,
      incarnation: hex(snapshot.incarnation),
      lease: { valid: left > 0, msLeft: Math.max(0, Math.round(left)) },
      buckets: config.cluster.buckets,
      range: snapshot.runs,
      ownedBuckets: snapshot.ownedBuckets,
      view: snapshot.view,
      packets,
      workers: this.workers(),
      peers: this.peers(snapshot),
      transport: transportCounters(snapshot),
      replicas: { mode: config.sync.replicas, waitingBuckets, leasedLate },
      sync: syncReport(this.parts.sync?.latest ?? null),
      hold: this.hold(),
      invariants: this.invariants(snapshot, packets),
      isolation: config.membership.isolation,
      uptimeMs: Math.round(bootMs() - this.startedMs),
    };
  }

  private invariants(
    snapshot: ControlSnapshot,
    { seen, byReason }: PacketReport,
  ): Record<string, number> {
    const counted = Object.values(byReason).reduce((total, count) => total + count, 0);
    const sync = this.parts.sync?.latest;
    return {
      ...snapshot.invariants,
      packetsWithoutReason: Math.abs(seen - counted),
      acceptedUnleased: this.sums()(EXTRA.UNLEASED),
      deliveredOutOfOrder: sync?.deliveredOutOfOrder ?? 0,
      flowsOverBound: sync ? Math.max(0, sync.flows - sync.flowsMax) : 0,
    };
  }

  private counters(): Float64Array[] {
    const { state } = this.parts;
    return Array.from({ length: state.workers }, (_, worker) => state.counters(worker).read());
  }

  /** All workers' counters added up, and what the kernel accepted in their place. */
  private sums(): (index: number) => number {
    const all = this.counters();
    return (index) => {
      const queued = all.reduce((total, counters) => total + (counters[index] as number), 0);
      const { known_flow, early_new } = this.rules.total;
      if (index === Reason.OWN_KNOWN) return queued + known_flow;
      if (index === Reason.OWN_EARLY) return queued + early_new;
      return index === EXTRA.SEEN ? queued + known_flow + early_new : queued;
    };
  }

  private packets(): PacketReport {
    const { config } = this.parts;
    const sum = this.sums();
    const byReason = Object.fromEntries(REASONS.map(({ name }, index) => [name, sum(index)]));
    const accepted = REASONS.reduce((n, _, index) => n + (accepts(index) ? sum(index) : 0), 0);
    const seen = sum(EXTRA.SEEN);
    const drops = readQueueDrops(config.dataplane.firstQueue, this.parts.state.workers);
    const { invalid, undecided, foreign_flow: foreignFlow, not_leased, no_port } = this.rules.total;
    const { early } = this.parts;
    const rules = { invalid, foreignFlow, expiredLease: not_leased, undecided, noPort: no_port };
    const others = { insertFailed: readInsertFailed(), earlyForeign: early?.dropped ?? 0 };
    return {
      ...{ seen, perSecond: this.perSecond, accepted, dropped: seen - accepted, byReason },
      kernel: { ...drops, ...rules, ...others },
      earlyDrop: early === null ? "none" : early.isActive ? "on" : "paused",
    };
  }

  /** The thread that holds is the last of the workers. */
  private hold(): HoldReport | null {
    const { config, state, sync } = this.parts;
    if (config.sync.holdMs === 0) return null;
    const counters = state.counters(state.workers - 1).read();
    const {
      held = 0,
      heldNone = 0,
      heldAtOnce = 0,
      heldDone = 0,
      heldLate = 0,
      cutOffs = 0,
    } = sync?.latest?.counters ?? {};
    return {
      holdMs: config.sync.holdMs,
      holding: counters[EXTRA.HELD] as number,
      ...{ asked: held, needless: heldNone, atOnce: heldAtOnce, acknowledged: heldDone },
      ...{ late: heldLate, cutOffs },
      overflow: counters[EXTRA.HOLD_OVERFLOW] as number,
      unanswered: counters[EXTRA.HOLD_LATE] as number,
      cutOff: sync?.latest?.hold?.cutOff ?? [],
    };
  }

  private workers(): WorkerReport[] {
    const { state, workers, config } = this.parts;
    return this.counters().map((counters, index) => {
      const silence = state.workerSilenceMs(index, bootMs());
      return {
        queue: config.dataplane.firstQueue + index,
        seen: counters[EXTRA.SEEN] as number,
        restarts: workers.restarts(index),
        stalledMs: silence > WORKER_SILENCE_MS ? silence : 0,
        batches: counters[EXTRA.BATCHES] as number,
        overruns: counters[EXTRA.OVERRUNS] as number,
        verdictErrors: counters[EXTRA.VERDICT_ERRORS] as number,
        unreadable: counters[EXTRA.UNREADABLE] as number,
        evicted: counters[EXTRA.EVICTED] as number,
      };
    });
  }

  private peers(snapshot: ControlSnapshot): PeerReport[] {
    const { links } = this.parts.config;
    return snapshot.peers.map((peer) => ({
      node: peer.node,
      state: peer.state,
      incarnation: hex(peer.incarnation),
      epoch: peer.epoch,
      range: peer.runs,
      links: peer.links.map(({ ageMs, received, isHeardThere }, link) => ({
        link,
        interface: links[link]?.interface ?? "?",
        ageMs: ageMs === null ? null : Math.round(ageMs),
        received,
        heardThere: isHeardThere,
      })),
      address: peer.links.find((link) => link.address !== "")?.address ?? "",
    }));
  }

  private measureRate(now: number): void {
    const { atMs, seen } = this.rateFrom;
    const total = this.sums()(EXTRA.SEEN);
    this.perSecond = Math.round(((total - seen) * 1000) / (now - atMs));
    this.rateFrom = { atMs: now, seen: total };
  }
}

/** Waits for `answer`, but not for ever. */
function inTime(answer: Promise<void>, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, timeoutMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
