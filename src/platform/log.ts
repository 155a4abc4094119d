/** Structured log lines on standard error. */
import { type Logger, pino } from "pino";

export type { Logger };

/** @param level a pino level or `silent` */
export function createLog(level: string, bindings: Record<string, unknown>): Logger {
  // Synchronous: the last line before a crash is the one that is needed.
  return pino({ level, base: bindings }, pino.destination({ dest: 2, sync: true }));
}
