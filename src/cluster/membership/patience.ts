/**
 * Whether silence may be judged now. A node that was itself late finds datagrams waiting in its
 * sockets: it leaves judging to the next tick, so that they are heard first. And since a node with
 * nothing to do ticks but once in a heartbeat, one tick more comes before the one that judges.
 *
 *      heard ... beat ... beat ... beat ..... tick ---- tick: silent
 *        '------------------ failureMs ------------------'
 *                                               TICK_MS: sockets are read
 */
import { TICK_MS } from "../limits.js";

export class Patience {
  private isForgiven = false;

  constructor(
    private readonly heartbeatMs: number,
    private tickedMs: number,
  ) {}

  /** Takes a tick; false when the tick came late and the one before did not. */
  mayJudge(now: number): boolean {
    const isLate = now - this.tickedMs > this.heartbeatMs + TICK_MS;
    this.tickedMs = now;
    this.isForgiven = isLate && !this.isForgiven;
    return !this.isForgiven;
  }

  /** When the next tick has to look at a silence that is to be judged from `silentMs` on. */
  nextLook(silentMs: number, now: number): number {
    if (now >= silentMs) return now + TICK_MS;
    return now >= silentMs - TICK_MS ? silentMs : silentMs - TICK_MS;
  }
}
