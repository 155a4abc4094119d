/**
 * Nothing may be half alive: when a packet worker or the main thread stands still, the node keeps
 * silent, so that its peers take over.
 */
import type { SharedState } from "../state/layout.js";

/** Silence in milliseconds after which a thread counts as one that stands still. */
export interface StallSettings {
  readonly workerStallMs: number;
  readonly mainStallMs: number;
}

export class Stalls {
  constructor(
    private readonly state: SharedState,
    private readonly settings: StallSettings,
  ) {}

  /** Which thread stands still; empty: none does. */
  reason(now: number): string {
    const { workerStallMs, mainStallMs } = this.settings;
    for (let worker = 0; worker < this.state.workers; worker++) {
      if (this.state.workerSilenceMs(worker, now) > workerStallMs) {
        return `packet worker ${worker} stands still`;
      }
    }
    return this.state.mainSilenceMs(now) > mainStallMs ? "the main thread stands still" : "";
  }

  /** When there is a reason at the earliest. */
  nextDue(now: number): number {
    const { workerStallMs, mainStallMs } = this.settings;
    let atMs = now + mainStallMs - this.state.mainSilenceMs(now);
    for (let worker = 0; worker < this.state.workers; worker++) {
      atMs = Math.min(atMs, now + workerStallMs - this.state.workerSilenceMs(worker, now));
    }
    return atMs;
  }
}
