/** `shardwall events`: what happened to this node and its cluster, oldest first. */
import type { EventReport } from "../supervise/event-log.js";
import { askLines, type ClientOptions } from "./client.js";
import { print } from "./output.js";

export async function events(options: ClientOptions): Promise<void> {
  for await (const lines of askLines(options.socket, "/v1/events")) {
    for (const line of lines) print(options.json ? line : eventText(JSON.parse(line)));
  }
}

/** `time name key=value ...`, values as JSON where they are lists. */
export function eventText({ time, name, details }: EventReport): string {
  const words = Object.entries(details).map(([key, value]) => `${key}=${valueText(value)}`);
  return [time, name, ...words].join(" ");
}

function valueText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
