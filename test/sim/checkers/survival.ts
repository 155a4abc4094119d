/**
 * P1, P2, L1, L3, R: what connections notice. One that is open and was on all nodes when all was
 * well has to survive whatever comes, as long as one machine that has it is left.
 */

import type { FlowOutput } from "../../../src/cluster/flows/output.js";
import { RECREATE_MS } from "../../../src/cluster/limits.js";
import { repairMs, replicationMs } from "../bounds.js";
import { type Calm, stateOf } from "../calm.js";
import type { Connection, Packet } from "../connection.js";
import type { Kernel } from "../kernel.js";
import type { Machine, Process } from "../machine.js";
import type { Plan } from "../plan.js";
import { type Checker, Violation } from "../watch.js";
import type { Cover } from "./cover.js";

/** Tables below this may refuse flows; what is refused does not survive. */
const SMALL_TABLE = 1000;

export class Survival implements Checker {
  readonly invariant = "P1, P2, L1, L3";
  readonly counters = { guarded: 0, lostWithAll: 0, accepted: 0, twice: 0, unheard: 0 };
  private readonly lagMs: number;

  constructor(
    private readonly plan: Plan,
    private readonly calm: Calm,
    private readonly cover: Cover,
    private readonly machines: readonly Machine[],
    /** Those that are open now. */
    private readonly open: ReadonlySet<Connection>,
  ) {
    this.lagMs = replicationMs(plan);
  }

  onAccepted(machine: Machine, _process: Process, packet: Packet, bucket: number): void {
    if (bucket === packet.connection.bucket) return;
    const right = packet.connection.bucket;
    const what = `node ${machine.id} accepts a packet of bucket ${right} for bucket ${bucket}`;
    throw new Violation("P2", what);
  }

  onPassed(packet: Packet, accepted: number): void {
    const { connection } = packet;
    const owners = this.cover.count(connection.bucket);
    this.counters.accepted += Math.min(1, accepted);
    if (accepted > 1) this.counters.twice += 1;
    if (accepted === 0) this.counters.unheard += 1;
    if (accepted > owners) {
      throw new Violation("P1", `${accepted} nodes accept a packet, ${owners} own its bucket`);
    }
    if (owners === 0 || accepted > 0) return;
    if (connection.isGuarded && packet.kind !== "close") this.judgeLoss(connection);
  }

  /** Nothing of a connection outlives the last machine that has it. */
  onDeath(machine: Machine, _process: Process, isMachine: boolean): void {
    if (!isMachine && !machine.isCold) return; // the kernel has all of them
    for (const connection of this.open) {
      if (!connection.isGuarded) continue;
      const isElsewhere = this.machines.some(
        (other) => other !== machine && stateOf(other) === "active" && has(other, connection),
      );
      if (isElsewhere) continue;
      connection.isGuarded = false;
      this.counters.lostWithAll += 1;
    }
  }

  /** A newcomer that no longer waits for a table may lack what is in it. */
  onFlowOutput(_machine: Machine, _process: Process, output: FlowOutput): void {
    if (output.kind !== "event" || output.event.name !== "tableStalled") return;
    for (const connection of this.open) connection.isGuarded = false;
  }

  onSecond(): void {
    this.calm.look();
    const { steadySinceMs, now } = this.calm;
    for (const connection of this.open) {
      if (connection.isGuarded || this.machines.some((machine) => has(machine, connection)))
        continue;
      connection.nowhereMs = now;
    }
    if (this.plan.settings.flowsMax < SMALL_TABLE || now - steadySinceMs < this.lagMs) return;
    for (const connection of this.open) {
      // Of two translations the server may have answered the one that nobody keeps.
      if (connection.isGuarded || connection.isTwofold) continue;
      const bornMs = Math.max(connection.openedMs, connection.nowhereMs);
      const isOfThisPeace = bornMs > steadySinceMs;
      const wait = isOfThisPeace ? this.lagMs : this.lagMs + repairMs(this.plan);
      if (now - Math.max(bornMs, steadySinceMs) < wait) continue;
      this.guard(connection, isOfThisPeace);
    }
  }

  private guard(connection: Connection, isOfThisPeace: boolean): void {
    const holders = this.machines.filter((machine) => has(machine, connection));
    if (holders.length === 0) return; // lost before it could be replicated
    if (this.calm.now - connection.timedOutMs < this.lagMs) return; // about to end everywhere
    if (holders.length < this.machines.length) {
      const missing = this.machines.filter((machine) => !has(machine, connection));
      if (missing.every((machine) => this.comesBack(machine, connection))) return;
      const names = missing.map(({ id }) => id).join(", ");
      const ageMs = this.ageOf(connection);
      const bound = `R = ${Math.round(this.lagMs)} ms`;
      throw new Violation(
        "R",
        `flow ${connection.name} of ${ageMs} ms not on node ${names}, ${bound}`,
      );
    }
    const waiting = holders.find(({ kernel }) => waits(kernel, connection));
    // Of what two halves of a cluster let in, the half that saw the answer may not have been heard.
    if (waiting && !isOfThisPeace) return;
    if (waiting) {
      const what = `node ${waiting.id} waits for an answer of flow ${connection.name} for good`;
      throw new Violation("R", `${what}, which was opened ${this.ageOf(connection)} ms ago`);
    }
    connection.isGuarded = true;
    this.counters.guarded += 1;
  }

  private ageOf({ openedMs }: Connection): number {
    return Math.round(this.calm.now - openedMs);
  }

  /** Whether the kernel has just dropped its replica: it is put back if the owner's goes on. */
  private comesBack(machine: Machine, { key }: Connection): boolean {
    const entry = machine.process?.sync.flows.shelf.table.get(key);
    const lostForMs = machine.localMs - (entry?.lostMs ?? Number.NaN);
    return lostForMs < RECREATE_MS + 2 * this.plan.settings.tickMs;
  }

  private judgeLoss(connection: Connection): void {
    const owners = this.machines.filter((machine) => accepts(machine, connection.bucket));
    if (owners.length !== 1) return;
    const { kernel } = owners[0];
    if (kernel.entries.has(connection.key) && !waits(kernel, connection)) return;
    const holders = this.machines.filter((machine) => machine.process && has(machine, connection));
    if (holders.length === 0) return;
    const names = holders.map(({ id }) => id).join(", ");
    const what = `flow ${connection.name} of bucket ${connection.bucket} is of no use to its owner`;
    throw new Violation("L1", `${what}, node ${owners[0].id}, but on node ${names}`);
  }
}

/** Whether all that the client sends is INVALID there. */
function waits({ entries }: Kernel, { key }: Connection): boolean {
  const entry = entries.get(key);
  return entry?.record.state === "opening" && !entry.isAnswered;
}

/** In its kernel, or to be put there with its bucket. */
function has({ kernel, isCold, process }: Machine, { key }: Connection): boolean {
  if (kernel.entries.has(key)) return true;
  return isCold && process?.sync.flows.shelf.table.get(key) !== undefined;
}

function accepts(machine: Machine, bucket: number): boolean {
  const owned = machine.accepting;
  return owned !== null && (owned[bucket >>> 5] & (1 << (bucket & 31))) !== 0;
}
