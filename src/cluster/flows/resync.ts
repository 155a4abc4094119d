/**
 * A resync that somebody asked for: the kernel's table is read again, and the table of every peer
 * is asked for as if its stream had been lost. It costs each peer one table at its bounded rate.
 *
 *      running -- kernel read, all tables here --> done
 *         '------ a table does not move on, or the kernel is not read --> failed
 *
 * A peer that goes meanwhile is no longer waited for.
 */
import type { Broadcast } from "../broadcast/broadcast.js";
import { RESYNC_PATIENCE_MS } from "../limits.js";
import type { Audit } from "./audit.js";
import type { FlowEvent } from "./output.js";
import type { Peers } from "./peers.js";

/** How the last resync stands, for `status`. */
export interface ResyncReport {
  /** Resyncs that were begun since the start. */
  readonly number: number;
  readonly state: "running" | "done" | "failed";
  /** Milliseconds since it began; of one that is over, how long it took. */
  readonly forMs: number;
  /** What is still to come: `kernel`, `node 2`. */
  readonly waitsFor: readonly string[];
  /** Why it failed; empty unless it did. */
  readonly reason: string;
  /** Flows of the peers' tables that have arrived, and that were announced so far. */
  readonly flows: number;
  readonly flowsExpected: number;
}

export class Resync {
  private number = 0;
  private state: ResyncReport["state"] = "done";
  private reason = "";
  private startMs = 0;
  private endMs = 0;

  constructor(
    private readonly broadcast: Broadcast,
    private readonly peers: Peers,
    private readonly audit: Audit,
    private readonly tell: (event: FlowEvent) => void,
  ) {}

  get isRunning(): boolean {
    return this.state === "running";
  }

  /** Begins one; while one runs, it is the answer to whoever asks for another. */
  begin(now: number): void {
    if (this.state === "running") return;
    this.number += 1;
    this.state = "running";
    this.reason = "";
    this.startMs = now;
    this.tell({ name: "resync", state: "running", reason: "" });
    this.audit.readAgain(now, false);
    this.broadcast.resync(now);
  }

  onTick(now: number): void {
    if (this.state !== "running") return;
    const reason = this.failure(now);
    if (reason === "" && this.waitsFor().length > 0) return;
    this.state = reason === "" ? "done" : "failed";
    this.reason = reason;
    this.endMs = now;
    this.tell({ name: "resync", state: this.state, reason });
  }

  /** Null before the first one. */
  report(now: number): ResyncReport | null {
    if (this.number === 0) return null;
    const { number, state, reason } = this;
    const tables = this.broadcast.peers().map((peer) => this.peers.of(peer));
    return {
      ...{ number, state, reason },
      forMs: (state === "running" ? now : this.endMs) - this.startMs,
      waitsFor: state === "running" ? this.waitsFor() : [],
      flows: tables.reduce((sum, { arrivedFlows }) => sum + arrivedFlows, 0),
      flowsExpected: tables.reduce((sum, { tableFlows }) => sum + tableFlows, 0),
    };
  }

  private waitsFor(): string[] {
    const late = this.broadcast.peers().filter((peer) => !this.peers.of(peer).isComplete);
    const nodes = late.map(({ node }) => `node ${node}`);
    return this.audit.degraded === null ? nodes : ["kernel", ...nodes];
  }

  private failure(now: number): string {
    const stalled = this.broadcast.peers().filter((peer) => this.peers.of(peer).isStalled);
    const nodes = stalled.map(({ node }) => node).join(" and ");
    if (nodes !== "") return `the table of node ${nodes} does not move on`;
    const { degraded } = this.audit;
    const isLate = degraded !== null && now - this.startMs >= RESYNC_PATIENCE_MS;
    return isLate ? "the kernel's table could not be read" : "";
  }
}
