/**
 * M2, M3, R8: how a node takes part. It listens first, for as long as its peers may take to give up
 * on its former self and to be heard; it obeys of each peer what is newest; and what another serves
 * it claims in small steps, once the flows are here.
 */
import type { Peer } from "../../../src/cluster/membership/peers.js";
import type { Output } from "../../../src/cluster/output.js";
import { hasBucket, type Run } from "../../../src/cluster/ranges/bitmap.js";
import { replicationMs } from "../bounds.js";
import type { Machine, Process } from "../machine.js";
import { partsOf } from "../peek.js";
import type { Plan } from "../plan.js";
import { type Checker, Violation } from "../watch.js";

/** Where tables have less room, flows are missing for want of it. */
const FLOWS_ENOUGH = 1000;
/** What adding times may lose. */
const INEXACT_MS = 0.001;

export class Entry implements Checker {
  readonly invariant = "M2, M3, R8";
  /** By the clock of its machine, when a node was born, or last had nobody to listen to. */
  private readonly deafMs = new WeakMap<Process, number>();
  /** Tick of the last heartbeat that was obeyed. */
  private readonly ticks = new WeakMap<Peer, number>();
  /** What was told longer ago than this is with everybody who says to have it all. */
  private readonly toldMs: number;

  constructor(
    private readonly plan: Plan,
    private readonly machines: readonly Machine[],
  ) {
    const { failureMs, heartbeatMs } = plan.settings;
    this.toldMs = replicationMs(plan) + failureMs + 2 * heartbeatMs;
  }

  onOutput(machine: Machine, process: Process, output: Output): void {
    const isBorn = output.kind === "up" && output.input.kind === "self";
    // The first incarnation is told of with the first turn, and is older than that.
    const bornMs = this.deafMs.has(process) ? machine.localMs : process.startMs;
    if (isBorn) this.deafMs.set(process, bornMs);
    if (output.kind !== "event") return;
    const { event } = output;
    if (event.name === "state" && event.state === "syncing") this.judgeEntry(machine, process);
    if (event.name !== "claim" || event.cause !== "planned") return;
    judgeStep(machine, process, event.runs);
    this.judgeFlows(machine, process, event.runs);
  }

  onTurn(machine: Machine, process: Process): void {
    const { peers, self } = partsOf(process.control.node).standing;
    let compatible = 0;
    for (const peer of peers.all()) {
      if (peer.isCompatible) compatible += 1;
      const before = this.ticks.get(peer) ?? -1;
      if (peer.tick < before) {
        const what = `heartbeat ${peer.tick} of node ${peer.node} after ${before}`;
        throw new Violation("M2", `node ${machine.id} obeys ${what}`);
      }
      if (peer.tick > before) this.ticks.set(peer, peer.tick);
    }
    if (self.state !== "joining" || self.mayServe(compatible)) return;
    this.deafMs.set(process, machine.localMs);
  }

  private judgeEntry(machine: Machine, process: Process): void {
    const { joinMs } = process.control.settings;
    const ms = machine.localMs - (this.deafMs.get(process) ?? Number.NEGATIVE_INFINITY);
    if (ms >= joinMs - INEXACT_MS) return;
    const what = `takes part after listening for ${Math.round(ms)} ms, not ${joinMs}`;
    throw new Violation("M3", `node ${machine.id} ${what}`);
  }

  /** Not by what the node believes: by what the owner has in its table. */
  private judgeFlows(machine: Machine, { sync }: Process, runs: readonly Run[]): void {
    if (this.plan.settings.flowsMax < FLOWS_ENOUGH) return;
    const has = (key: string) => sync.flows.shelf.table.get(key) !== undefined;
    for (const [first, last] of runs) {
      for (let bucket = first; bucket <= last; bucket++) {
        const owner = sync.flows.ledger.holder(bucket);
        if (owner === machine.id || this.toldOf(bucket, owner).every(has)) continue;
        const what = "a flow that its owner told long ago";
        throw new Violation("R8", `node ${machine.id} claims bucket ${bucket} without ${what}`);
      }
    }
  }

  /** Flows of a bucket that its owner has told for long; none where it is not its owner's. */
  private toldOf(bucket: number, owner: number): string[] {
    const machine = this.machines.find(({ id }) => id === owner);
    const process = machine?.process;
    if (!process || !machine.isServing || !hasBucket(process.control.owned, bucket)) return [];
    const { table } = process.sync.flows.shelf;
    return [...table.keysOf(bucket)].filter((key) => {
      const entry = table.get(key);
      return entry?.version.writer === owner && machine.localMs - entry.atMs >= this.toldMs;
    });
  }
}

function judgeStep(machine: Machine, process: Process, runs: readonly Run[]): void {
  const { settings, replication } = process.control;
  let claimed = 0;
  for (const [first, last] of runs) {
    for (let bucket = first; bucket <= last; bucket++) {
      claimed += 1;
      if (replication.mayClaim(bucket)) continue;
      throw new Violation("R8", `node ${machine.id} claims bucket ${bucket} without its flows`);
    }
  }
  if (claimed <= settings.handoverStep) return;
  const step = `a step has ${settings.handoverStep}`;
  throw new Violation("R8", `node ${machine.id} claims ${claimed} buckets at once, ${step}`);
}
