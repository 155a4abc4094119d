/** How the lab talks with its traffic programs: one JSON object a line, on stdin and stdout. */
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/**
 * Calls `handle` with each object of a stream; resolves at its end. Lines that are no JSON are
 * ignored.
 */
export async function readLines<T>(stream: Readable, handle: (message: T) => void): Promise<void> {
  for await (const line of createInterface({ input: stream })) {
    try {
      handle(JSON.parse(line) as T);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
}

/** Writes one object to stdout. */
export function tell(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
