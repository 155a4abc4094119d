/**
 * Finds the moment from which new connections of a dead node's range succeed. Started before it
 * is needed; stdin: one {@link ProbeOrder} a line; stdout: `{"type":"ready"}`, then one {@link
 * ProbeAnswer} per order.
 *
 * One connection that is tried again would show TCP's retransmission timer (1 s), not the
 * cluster. So a new one is started every few milliseconds, each from a port of its own, until the
 * first of them succeeds.
 */
import { setMaxListeners } from "node:events";
import { bootMs } from "../../platform/clock.js";
import { hit } from "./hit.js";
import { readLines, tell } from "./lines.js";

export interface ProbeOrder {
  readonly host: string;
  readonly port: number;
  readonly localAddress: string;
  /** Source ports, one per connection. When they are used up, the probe waits for what is open. */
  readonly localPorts: readonly number[];
  readonly everyMs: number;
  readonly timeoutMs: number;
}

export interface ProbeAnswer {
  readonly type: "answer";
  /** CLOCK_BOOTTIME in milliseconds when the first connection had its answer; null if none had. */
  readonly at: number | null;
  /** Connections started. */
  readonly tried: number;
}

/** Carries one order out. */
export function probe(order: ProbeOrder): Promise<ProbeAnswer> {
  const { host, port, localAddress, localPorts, everyMs, timeoutMs } = order;
  const giveUp = new AbortController();
  setMaxListeners(0, giveUp.signal); // every connection waits for it
  let tried = 0;
  return new Promise((resolve) => {
    const finish = (at: number | null) => {
      clearInterval(starting);
      clearTimeout(deadline);
      // Resolved first: what is aborted now must not count as an answer.
      resolve({ type: "answer", at, tried });
      giveUp.abort();
    };
    const start = async () => {
      const localPort = localPorts[tried];
      if (localPort === undefined) return;
      tried++;
      const failure = await hit({ host, port, localAddress, localPort, signal: giveUp.signal });
      if (failure === null && !giveUp.signal.aborted) finish(bootMs());
    };
    const starting = setInterval(start, everyMs);
    const deadline = setTimeout(() => finish(null), timeoutMs);
    void start();
  });
}

if (process.argv[2] === "--serve") {
  tell({ type: "ready" });
  await readLines<ProbeOrder>(process.stdin, (order) => void probe(order).then(tell));
}
