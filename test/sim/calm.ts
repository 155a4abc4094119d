/**
 * How quiet the world has been, and for how long. Bounds hold only as long as nothing disturbs
 * them; each checker asks for the quiet that its invariant needs.
 */
import type { FlowSync } from "../../src/cluster/flows/sync.js";
import type { Agenda } from "./agenda.js";
import { stallMs } from "./bounds.js";
import type { Machine } from "./machine.js";
import type { Links } from "./network.js";
import type { Fault, Plan } from "./plan.js";

export class Calm {
  /** When something last happened after which buckets may be unowned for a while. */
  disruptedMs = 0;
  /** When the network last was worse than in the plan. */
  troubledMs = 0;
  /** When the network was worse than in the plan, or a node was not there or not itself. */
  unevenMs = 0;
  /** When nobody was active: whoever is then must listen before it takes anything. */
  desertedMs = 0;
  /** Since when all is as in quiet; infinite while it is not. */
  steadySinceMs = Number.POSITIVE_INFINITY;
  private readonly active = new Set<Fault>();

  constructor(
    private readonly plan: Plan,
    private readonly agenda: Agenda,
    private readonly links: Links,
    private readonly machines: readonly Machine[],
  ) {}

  get now(): number {
    return this.agenda.now;
  }

  /** Whether datagrams are lost or late even without a fault. */
  get isLossy(): boolean {
    return this.plan.network.loss > 0 || this.plan.network.corruption > 0;
  }

  /** Whether the network was worse than in the plan, so lately that nodes may look dead. */
  get wasTroubled(): boolean {
    return this.now - this.troubledMs < 2 * this.plan.settings.failureMs;
  }

  begin(fault: Fault): void {
    this.active.add(fault);
    this.note(fault);
  }

  end(fault: Fault): void {
    this.note(fault);
    this.active.delete(fault);
  }

  disrupt(): void {
    this.disruptedMs = this.now;
    this.steadySinceMs = Number.POSITIVE_INFINITY;
  }

  /** Looks at the world; called often. */
  look(): void {
    if (!this.machines.some(isActive)) this.desertedMs = this.now;
    if (this.isLossy && this.plan.settings.isolation !== "serve") this.disruptedMs = this.now;
    for (const fault of this.active) {
      if (this.isLasting(fault)) this.note(fault);
      if (isUneven(fault)) this.unevenMs = this.now;
    }
    if (!this.isSteady()) this.steadySinceMs = Number.POSITIVE_INFINITY;
    else if (this.steadySinceMs === Number.POSITIVE_INFINITY) this.steadySinceMs = this.now;
  }

  private note(fault: Fault): void {
    const isOfNetwork = NETWORK.has(fault.kind);
    if (isOfNetwork) this.troubledMs = this.now;
    if (isUneven(fault)) this.unevenMs = this.now;
    const mayYield = isOfNetwork && this.plan.settings.isolation !== "serve";
    if (DISRUPTIVE.has(fault.kind) || mayYield) this.disrupt();
  }

  /** Whether a fault disturbs as long as it lasts, and not only at its begin and end. */
  private isLasting({ kind, atMs }: Fault): boolean {
    if (kind === "stall") return this.now - atMs < stallMs(this.plan);
    return NETWORK.has(kind) || kind === "slow";
  }

  private isSteady(): boolean {
    for (const { kind } of this.active) if (!HARMLESS.has(kind)) return false;
    if (!this.links.isWhole) return false;
    let view = "";
    for (const machine of this.machines) {
      const { process } = machine;
      if (!process || !machine.isServing || stateOf(machine) !== "active") return false;
      if (process.threads.control.isFrozen || process.threads.sync.isFrozen) return false;
      const ids = process.control.view.join();
      if (view !== "" && ids !== view) return false;
      view = ids;
      if (!isSynced(process.sync.flows)) return false;
    }
    return true;
  }
}

/** Whether it could take over: one whose control thread stands still was active, and is not. */
function isActive(machine: Machine): boolean {
  if (!machine.isServing || stateOf(machine) !== "active") return false;
  return machine.process?.threads.control.isFrozen === false;
}

/** The state a node says to be in; "" without a process. */
export function stateOf(machine: Machine): string {
  return machine.process?.control.state ?? "";
}

function isUneven({ kind }: Fault): boolean {
  return NETWORK.has(kind) || DISRUPTIVE.has(kind);
}

function isSynced({ peers, broadcast, audit }: FlowSync): boolean {
  return audit.degraded === null && broadcast.peers().every((peer) => peers.of(peer).isComplete);
}

const DISRUPTIVE: ReadonlySet<Fault["kind"]> = new Set([
  ...(["crash", "pause", "suspend", "restart", "stall", "slow", "twin"] as const),
]);
const NETWORK: ReadonlySet<Fault["kind"]> = new Set([
  ...(["network", "partition", "narrow"] as const),
]);
/** Faults that must change nothing at all. */
const HARMLESS: ReadonlySet<Fault["kind"]> = new Set(["replay", "forge", "newer", "drain"]);
