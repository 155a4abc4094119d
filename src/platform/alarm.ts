/** A timer that is set for a moment, and again and again for an earlier one. */
import { bootMs } from "./clock.js";

export class Alarm {
  private timer: NodeJS.Timeout | null = null;
  private atMs = Number.POSITIVE_INFINITY;
  private isClosed = false;

  constructor(private readonly onRing: () => void) {}

  /** Rings at `atMs` of {@link bootMs}, unless it is set for earlier already. Rings once. */
  setFor(atMs: number): void {
    if (this.isClosed || (this.timer !== null && atMs >= this.atMs)) return;
    this.clear();
    this.atMs = atMs;
    this.timer = setTimeout(() => this.ring(), Math.max(1, Math.ceil(atMs - bootMs())));
  }

  /** It never rings again, whatever it is set for. */
  close(): void {
    this.isClosed = true;
    this.clear();
  }

  private clear(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private ring(): void {
    this.timer = null;
    this.onRing();
  }
}
