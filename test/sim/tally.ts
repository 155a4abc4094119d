/** What many seeds add up to. */
import type { Outcome, Verdict } from "./run.js";

const TELL_MS = 60_000;
const HIGHEST: ReadonlySet<string> = new Set(["longestGapMs"]);

export class Tally {
  seeds = 0;
  readonly verdicts: Record<Verdict, number> = { ok: 0, crash: 0, unsafe: 0, stuck: 0 };
  readonly figures: Record<string, number> = {};
  private cpuMs = 0;
  private readonly startMs = performance.now();
  private readonly settled: number[] = [];
  private toldMs = performance.now();

  add(outcome: Outcome): void {
    this.seeds += 1;
    this.verdicts[outcome.verdict] += 1;
    this.cpuMs += outcome.cpuMs;
    this.settled.push(outcome.settledMs);
    for (const [name, value] of Object.entries(outcome.figures)) {
      const before = this.figures[name] ?? 0;
      this.figures[name] = HIGHEST.has(name) ? Math.max(before, value) : before + value;
    }
  }

  /** Once in a minute. */
  get isTimeToTell(): boolean {
    const now = performance.now();
    if (now - this.toldMs < TELL_MS) return false;
    this.toldMs = now;
    return true;
  }

  summary() {
    const { seeds, verdicts, figures, cpuMs } = this;
    const elapsedMs = performance.now() - this.startMs;
    const simulatedMs = figures.simulatedMs ?? 0;
    const settled = [...this.settled].sort((a, b) => a - b);
    return {
      ...{ seeds, verdicts, figures },
      elapsedS: Math.round(elapsedMs / 1000),
      cpuS: Math.round(cpuMs / 1000),
      simulatedHours: simulatedMs / 3_600_000,
      /** Simulated hours per hour of the clock. */
      rate: Math.round(simulatedMs / elapsedMs),
      settledMs: {
        p50: settled[Math.floor(seeds * 0.5)] ?? 0,
        p99: settled[Math.floor(seeds * 0.99)] ?? 0,
        max: settled.at(-1) ?? 0,
      },
    };
  }
}
