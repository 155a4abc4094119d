/** What happened to this node: told in the log of the process, and kept for `shardwall events`. */
import type { FlowEvent } from "../cluster/flows/output.js";
import type { ClusterEvent } from "../cluster/output.js";
import { EVENTS_KEPT } from "../config/limits.js";
import { wallTime } from "../platform/clock.js";
import type { Logger } from "../platform/log.js";

/** One event as a JSON line of the API. */
export interface EventReport {
  /** Wall-clock time, ISO 8601. */
  readonly time: string;
  readonly name: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export class EventLog {
  private readonly kept: EventReport[] = [];

  constructor(private readonly log: Logger) {}

  note(event: ClusterEvent | FlowEvent): void {
    const { name, ...rest } = event;
    const details = plain(rest);
    this.log.info({ event: name, ...details }, name);
    if (this.kept.length === EVENTS_KEPT) this.kept.shift();
    this.kept.push({ time: wallTime(), name, details });
  }

  /** A copy of what is kept as JSON lines, oldest first. */
  async *lines(): AsyncGenerator<string> {
    for (const event of this.kept.slice()) yield `${JSON.stringify(event)}\n`;
  }
}

/** 64-bit numbers as hex, at any depth: events travel as JSON. */
function plain(details: object): Record<string, unknown> {
  const hex = (_: string, value: unknown) =>
    typeof value === "bigint" ? value.toString(16) : value;
  return JSON.parse(JSON.stringify(details, hex)) as Record<string, unknown>;
}
