/** R4, B2, B7, C1, C4: what must come about when nothing fails any more. */
import type { Replicated } from "../../../src/cluster/flows/record.js";
import { hasBucket } from "../../../src/cluster/ranges/bitmap.js";
import type { Calm } from "../calm.js";
import type { Connection } from "../connection.js";
import type { Entry } from "../kernel.js";
import type { Machine } from "../machine.js";
import type { Plan } from "../plan.js";
import type { Checker } from "../watch.js";

/**
 * R4: all nodes active in one view, their ranges sorted, disjoint, complete, equal within one. But
 * a bucket stays where it is while the flows in it find no room at the node that should have it.
 */
export class Settled implements Checker {
  readonly invariant = "R1, R4";

  constructor(
    private readonly plan: Plan,
    private readonly machines: readonly Machine[],
  ) {}

  onQuiet(): string {
    const ids = this.machines.map(({ id }) => id);
    for (const machine of this.machines) {
      const control = machine.process?.control;
      if (!control) return `node ${machine.id} does not run`;
      if (control.state !== "active") return `node ${machine.id} is ${control.state}`;
      if (control.view.join() !== ids.join()) return `node ${machine.id} sees ${control.view}`;
    }
    const { buckets } = this.plan.settings;
    for (const [index, machine] of this.machines.entries()) {
      const first = Math.floor((index * buckets) / ids.length);
      const end = Math.floor(((index + 1) * buckets) / ids.length);
      for (let bucket = first; bucket < end; bucket++) {
        const owners = this.machines.filter((each) => owns(each, bucket));
        const isRight = owners[0] === machine || lacksRoom(machine, bucket);
        if (owners.length === 1 && isRight) continue;
        const names = owners.map(({ id }) => id).join(" and ") || "nobody";
        return `bucket ${bucket} of node ${machine.id} is owned by ${names}`;
      }
    }
    return "";
  }
}

function owns({ process }: Machine, bucket: number): boolean {
  return process !== null && hasBucket(process.control.owned, bucket);
}

function lacksRoom({ process }: Machine, bucket: number): boolean {
  const flows = process?.sync.flows;
  return flows?.shelf.table.isFull === true && !flows.ledger.isGood(bucket);
}

/** B2, B7, C4: every stream is followed to its end, every table is here, nothing is degraded. */
export class InSync implements Checker {
  readonly invariant = "B2, B7, C4";

  constructor(private readonly machines: readonly Machine[]) {}

  onQuiet(): string {
    const senders = new Map(this.machines.map(({ id, process }) => [id, process?.sync.flows]));
    for (const { id, process } of this.machines) {
      const flows = process?.sync.flows;
      if (!flows) continue;
      if (flows.audit.degraded !== null) return `node ${id} still reads its kernel's table`;
      const peers = flows.broadcast.peers();
      if (peers.length !== this.machines.length - 1) return `node ${id} has ${peers.length} peers`;
      for (const peer of peers) {
        const name = `node ${id}, stream of node ${peer.node}`;
        if (!flows.peers.of(peer).isComplete) return `${name}: the table has not come`;
        const sent = senders.get(peer.node)?.broadcast.buffer.next ?? 0;
        const behind = (sent - peer.stream.expected) | 0;
        if (behind > MOVING) return `${name}: ${behind} frames behind`;
      }
    }
    return "";
  }
}

/** Frames that may just be on their way. */
const MOVING = 4;

/**
 * C1, C3: all tables and kernels have what the owners' kernels have, translated alike, and nothing
 * else.
 */
export class Agreed implements Checker {
  readonly invariant = "C1, C3";

  constructor(
    private readonly plan: Plan,
    private readonly calm: Calm,
    private readonly machines: readonly Machine[],
    private readonly connections: ReadonlyMap<string, Connection>,
  ) {}

  onQuiet(): string {
    if (this.plan.settings.flowsMax < 1000) return "";
    const union = this.union();
    for (const { id, kernel, process, isCold } of this.machines) {
      const table = process?.sync.flows.shelf.table;
      const inTable = [...(table?.all() ?? [])].map(({ key, record }) => nameOf(key, record));
      const inKernel = [...kernel.entries].flatMap(([key, entry]) =>
        isOver(entry) ? [] : [nameOf(key, entry.record)],
      );
      const what =
        this.differ(`table of node ${id}`, inTable, union) ||
        (isCold ? "" : this.differ(`kernel of node ${id}`, inKernel, union));
      if (what !== "") return what;
    }
    return "";
  }

  private union(): Set<string> {
    const names = new Set<string>();
    for (const { kernel, process } of this.machines) {
      const owned = process?.control.owned;
      if (!owned) continue;
      for (const [key, entry] of kernel.entries) {
        const { record } = entry;
        if (hasBucket(owned, record.bucket) && !isOver(entry)) names.add(nameOf(key, record));
      }
    }
    return names;
  }

  private differ(name: string, have: readonly string[], want: ReadonlySet<string>): string {
    const had = new Set(have);
    const more = have.filter((each) => !want.has(each));
    const less = [...want].filter((each) => !had.has(each));
    if (more.length + less.length === 0) return "";
    const [example] = [...more, ...less];
    const connection = this.connections.get(example.slice(0, example.lastIndexOf(" ")));
    const ageMs = Math.round(this.calm.now - (connection?.openedMs ?? 0));
    const what = `${connection?.name} of bucket ${connection?.bucket}`;
    const flow = `${what}, ${connection?.phase}, ${ageMs} ms`;
    return `${name}: ${more.length} flows too many, ${less.length} missing, such as ${flow}`;
  }
}

/** A flow by key and translated port. */
function nameOf(key: string, record: Replicated): string {
  return `${key} ${record.kind === "flow" ? record.reply.dstPort : 0}`;
}

function isOver({ record }: Entry): boolean {
  return record.state === "over";
}
