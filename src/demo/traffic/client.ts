/**
 * The lab's HTTP client: opens a new connection per hit, at a steady rate, from several addresses
 * in turn.
 *
 * argv[2]: {@link ClientSettings} as JSON. stdout: a {@link ClientReport} four times a second,
 * and the last one, with `"type":"end"`, when all hits are over after stdin was closed.
 *
 * The rate is fixed and not "as fast as it goes": nodes, client and server share this machine's
 * processors, and a node that gets none for failureMs is rightly taken for dead.
 */
import { bootMs } from "../../platform/clock.js";
import { hit } from "./hit.js";
import { tell } from "./lines.js";

export interface ClientSettings {
  /** Addresses of the same family, the first one connects to the second. */
  readonly pairs: readonly (readonly [source: string, target: string])[];
  readonly port: number;
  /** Hits per second. */
  readonly rate: number;
  /** Connections at once; at the bound hits are put off, not counted. */
  readonly concurrency: number;
  /** Milliseconds until a hit has failed. */
  readonly timeoutMs: number;
}

export interface ClientReport {
  readonly type: "progress" | "end";
  readonly hits: number;
  readonly failed: number;
  /** `failed` by reason. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Milliseconds from connect to the end of the answer. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** Source ports, taken in turn: the observer takes address and port for the connection. */
const PORT_FIRST = 20_000;
const PORT_LAST = 59_999;

const PACE_MS = 10;
const REPORT_MS = 250;

/** Latencies kept for the percentiles; of later hits only the longest counts. */
const LATENCIES_MAX = 500_000;

class Client {
  private readonly latencies: number[] = [];
  private readonly reasons: Record<string, number> = {};
  private readonly start = bootMs();
  private hits = 0;
  private failed = 0;
  private launched = 0;
  private open = 0;
  private latencyMax = 0;
  private nextPort = PORT_FIRST;

  constructor(private readonly settings: ClientSettings) {}

  /** Starts the hits that are due. */
  pace(): void {
    const due = Math.floor(((bootMs() - this.start) * this.settings.rate) / 1000);
    while (this.launched < due) {
      // What cannot be started now is not made up for later: a burst would be another traffic.
      if (this.open < this.settings.concurrency) void this.launch();
      this.launched++;
    }
  }

  get idle(): boolean {
    return this.open === 0;
  }

  report(type: ClientReport["type"]): ClientReport {
    const sorted = Float64Array.from(this.latencies).sort();
    const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
    const latencyMs = { p50: at(0.5), p99: at(0.99), max: this.latencyMax };
    return { type, hits: this.hits, failed: this.failed, reasons: this.reasons, latencyMs };
  }

  private async launch(): Promise<void> {
    const { pairs, port, timeoutMs } = this.settings;
    const [localAddress, host] = pairs[this.launched % pairs.length] as readonly [string, string];
    const localPort = this.nextPort++;
    if (this.nextPort > PORT_LAST) this.nextPort = PORT_FIRST;
    const signal = AbortSignal.timeout(timeoutMs);
    const started = bootMs();
    this.open++;
    const failure = await hit({ host, port, localAddress, localPort, signal });
    this.open--;
    this.count(failure, bootMs() - started);
  }

  private count(failure: string | null, ms: number): void {
    if (failure !== null) {
      this.failed++;
      this.reasons[failure] = (this.reasons[failure] ?? 0) + 1;
      return;
    }
    this.hits++;
    this.latencyMax = Math.max(this.latencyMax, ms);
    if (this.latencies.length < LATENCIES_MAX) this.latencies.push(ms);
  }
}

const client = new Client(JSON.parse(process.argv[2] as string) as ClientSettings);
const pacing = setInterval(() => client.pace(), PACE_MS);
const reporting = setInterval(() => tell(client.report("progress")), REPORT_MS);

process.stdin.resume().on("end", () => {
  clearInterval(pacing);
  const ending = setInterval(() => {
    if (!client.idle) return;
    clearInterval(ending);
    clearInterval(reporting);
    tell(client.report("end"));
  }, PACE_MS);
});
