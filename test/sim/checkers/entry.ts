/**
 * M2, M3, R8: how a node takes part. It listens first, for as long as its peers may take to give up
 * on its former self and to be heard; it obeys of each peer what is newest; and what another serves
 * it claims in small steps, once the flows are here.
 */
import type { FlowOutput } from "../../../src/cluster/flows/output.js";
import type { Peer } from "../../../src/cluster/membership/peers.js";
import type { Output } from "../../../src/cluster/output.js";
import { bitmapOf, bucketsOf, hasBucket, type Run } from "../../../src/cluster/ranges/bitmap.js";
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
  /** By bucket, when replication last told control anything while it had the bucket's flows. */
  private readonly good = new WeakMap<Process, Float64Array>();

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
    for (const bucket of bucketsOf(bitmapOf(event.runs, this.plan.settings.buckets))) {
      this.judgeWord(machine, process, bucket);
      this.judgeFlows(machine, process, bucket);
    }
  }

  onFlowOutput(machine: Machine, process: Process, { kind }: FlowOutput): void {
    if (kind !== "ready" && kind !== "answer") return;
    const { buckets } = this.plan.settings;
    const { ledger } = process.sync.flows;
    const good = this.good.get(process) ?? new Float64Array(buckets).fill(Number.NEGATIVE_INFINITY);
    this.good.set(process, good);
    for (let bucket = 0; bucket < buckets; bucket++) {
      if (ledger.isGood(bucket)) good[bucket] = machine.localMs;
    }
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

  /** Control relies on the word of a thread that may stand still, or has just taken it back. */
  private judgeWord(machine: Machine, process: Process, bucket: number): void {
    const atMs = this.good.get(process)?.[bucket] ?? Number.NEGATIVE_INFINITY;
    if (machine.localMs - atMs <= this.plan.settings.failureMs + INEXACT_MS) return;
    const what = `claims bucket ${bucket}, whose flows are not known to be there`;
    throw new Violation("R8", `node ${machine.id} ${what}`);
  }

  /**
   * Not by what the node believes: by what the owner has in its table. Where several serve a
   * bucket, in a split cluster, each has flows of its own; those of one of them must be here.
   */
  private judgeFlows(machine: Machine, { sync, control }: Process, bucket: number): void {
    if (this.plan.settings.flowsMax < FLOWS_ENOUGH) return;
    const peers = partsOf(control.node).standing.peers.all();
    const owners = peers.filter(({ claim }) => hasBucket(claim, bucket));
    const has = (key: string) => sync.flows.shelf.table.get(key) !== undefined;
    if (owners.some(({ node }) => this.toldOf(bucket, node).every(has))) return;
    const what = "a flow that its owner told long ago";
    throw new Violation("R8", `node ${machine.id} claims bucket ${bucket} without ${what}`);
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
  const { settings, replication, node } = process.control;
  const peers = partsOf(node).standing.peers.all();
  let claimed = 0;
  for (const [first, last] of runs) {
    for (let bucket = first; bucket <= last; bucket++) {
      claimed += 1;
      const owners = peers.filter(({ claim }) => hasBucket(claim, bucket));
      if (owners.some((owner) => replication.mayClaim(bucket, owner.node))) continue;
      throw new Violation("R8", `node ${machine.id} claims bucket ${bucket} without its flows`);
    }
  }
  if (claimed <= settings.handoverStep) return;
  const step = `a step has ${settings.handoverStep}`;
  throw new Violation("R8", `node ${machine.id} claims ${claimed} buckets at once, ${step}`);
}
