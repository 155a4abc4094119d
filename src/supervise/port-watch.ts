/** Warns when translations run out of ports; at most once in a while, since a flood would. */
import type { KernelDrops } from "../api/report.js";
import type { Logger } from "../platform/log.js";

/** Milliseconds between two warnings. */
const QUIET_MS = 60_000;

type Counts = Pick<KernelDrops, "noPort" | "insertFailed">;

export class PortWatch {
  private last: Counts | null = null;
  private refused = 0;
  private warnedMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly log: Pick<Logger, "warn">) {}

  /** @param counts as read now; those of the rules begin anew with each installation */
  note(counts: Counts, nowMs: number): void {
    this.refused += this.since("noPort", counts) + this.since("insertFailed", counts);
    this.last = counts;
    if (this.refused === 0 || nowMs - this.warnedMs < QUIET_MS) return;
    const message = "new flows found no free port in the slice of their bucket";
    this.log.warn({ refused: this.refused, ...counts }, message);
    this.refused = 0;
    this.warnedMs = nowMs;
  }

  /** What was counted before the first look is none of ours. */
  private since(name: keyof Counts, counts: Counts): number {
    const before = this.last?.[name] ?? counts[name];
    return counts[name] >= before ? counts[name] - before : counts[name];
  }
}
