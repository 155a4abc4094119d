/**
 * When a worker lets packets gather before it reads them, as network cards do before they
 * interrupt.
 *
 * Waking a thread costs more than a packet. A worker that comes first on its processor is awake at
 * the first packet, judges it, and sleeps again before the second: batches of one, in a flood too.
 * So under load it pauses before it reads. Load is a millisecond with many packets; a node that is
 * not loaded never pauses, so its packets do not wait. And where batches are large by themselves,
 * since the worker is what the packets wait for, a pause would only make it late.
 */
import {
  PACE_BATCH_LARGE,
  PACE_BATCH_SMALL,
  PACE_PACKETS_PER_MS,
  PACE_PAUSE_US,
} from "../../config/limits.js";

/** Packets are counted for this long at least. */
const WINDOW_MS = 1;
const STEPS = 4;

export class Pace {
  private sinceMs = 0;
  private packets = 0;
  private isLoaded = false;
  private pauseUs = 0;

  /** Notes a batch that was received at `nowMs`. @returns microseconds to pause before the next */
  note(count: number, nowMs: number): number {
    this.packets += count;
    const elapsed = nowMs - this.sinceMs;
    if (elapsed >= WINDOW_MS) {
      this.isLoaded = this.packets >= elapsed * PACE_PACKETS_PER_MS;
      this.sinceMs = nowMs;
      this.packets = 0;
    }
    if (!this.isLoaded) this.pauseUs = 0;
    else if (count < PACE_BATCH_SMALL) this.lengthen();
    else if (count > PACE_BATCH_LARGE) this.pauseUs >>= 1;
    return this.pauseUs;
  }

  private lengthen(): void {
    this.pauseUs = Math.min(PACE_PAUSE_US, this.pauseUs + PACE_PAUSE_US / STEPS);
  }
}
