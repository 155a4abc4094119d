/**
 * When and what this node says of itself: a heartbeat in each interval, one more at once when there
 * is news, and LEAVE at the end. Every message carries the whole state, so none has to arrive.
 */
import { RUNS_MAX } from "../config/limits.js";
import { dataSequence, isData } from "./frame/data.js";
import { encodeHeartbeat } from "./frame/heartbeat.js";
import { encodeLeave } from "./frame/leave.js";
import type { Outbox } from "./outbox.js";
import { runsOf } from "./ranges/bitmap.js";
import type { ClusterSettings } from "./settings.js";
import type { Standing } from "./standing.js";

export class Beats {
  private tick = 0;
  private nextMs = 0;
  /** Sequence number of the newest DATA frame; 0: none in this incarnation. */
  private sent = 0;

  constructor(
    private readonly settings: ClusterSettings,
    private readonly standing: Standing,
    private readonly out: Outbox,
  ) {}

  /** A new incarnation counts its beats anew, and the first is due at once. */
  restart(now: number): void {
    this.tick = 0;
    this.nextMs = now;
    this.sent = 0;
  }

  /** When the next heartbeat is due. */
  get dueMs(): number {
    return this.nextMs;
  }

  /** Sends what the flow layers made; a repaired frame is older than the newest. */
  sendBody(body: Uint8Array): void {
    if (isData(body)) {
      const sequence = dataSequence(body);
      if (this.sent === 0 || ((sequence - this.sent) | 0) > 0) this.sent = sequence;
    }
    this.out.send(body);
  }

  /** Sends a heartbeat if one is due or something changed. */
  onTick(now: number): void {
    const { self, peers, holding, view } = this.standing;
    const isDue = now >= this.nextMs;
    if (isDue) {
      this.nextMs = Math.max(this.nextMs + this.settings.heartbeatMs, now + 1);
      // Once in each interval, however many urgent beats come between.
      if (self.isActive) holding.takeStep(view, peers.all(), now);
    }
    if (isDue || this.standing.hasNews || holding.hasNews) this.beat(now);
  }

  leave(): void {
    this.tick += 1;
    this.out.send(encodeLeave(this.tick));
  }

  /** The lease first, then the beat: so the peers' patience ends later than the lease. */
  private beat(now: number): void {
    const { self, holding } = this.standing;
    this.standing.hasNews = false;
    if (self.isServing) holding.renew(now);
    else holding.lease.beat(now);
    this.tick += 1;
    this.out.send(this.heartbeat(now));
  }

  private heartbeat(now: number): Uint8Array {
    const { self, view, holding, peers } = this.standing;
    return encodeHeartbeat({
      state: self.state,
      tick: this.tick,
      epoch: view.epoch,
      viewHash: view.hash,
      configDigest: this.settings.configDigest,
      challenge: self.identity.challenge,
      sent: this.sent,
      // Claiming less than is owned is safe: nobody relies on a claim that was not made.
      runs: runsOf(holding.claim, RUNS_MAX),
      echoes: peers.echoes(now - this.settings.failureMs),
    });
  }
}
