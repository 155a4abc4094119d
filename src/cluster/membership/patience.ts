/**
 * Whether silence may be judged now. A node that was itself late finds datagrams waiting in its
 * sockets: it leaves judging to the next tick, so that they are heard first.
 */
export class Patience {
  private isForgiven = false;

  constructor(
    private readonly heartbeatMs: number,
    private tickedMs: number,
  ) {}

  /** Takes a tick; false when the tick came late and the one before did not. */
  mayJudge(now: number): boolean {
    const isLate = now - this.tickedMs > this.heartbeatMs;
    this.tickedMs = now;
    this.isForgiven = isLate && !this.isForgiven;
    return !this.isForgiven;
  }
}
