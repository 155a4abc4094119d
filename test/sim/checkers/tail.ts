/**
 * B2: the last frame of a stream arrives although none follows it that would show its loss. In
 * quiet digests follow each other; a node that has given its buckets up has none to send.
 */
import { distance } from "../../../src/cluster/broadcast/sequence.js";
import type { FlowSync } from "../../../src/cluster/flows/sync.js";
import { tailMs } from "../bounds.js";
import type { Calm } from "../calm.js";
import type { Machine } from "../machine.js";
import type { Plan } from "../plan.js";
import { type Checker, Violation } from "../watch.js";

/** How far the stream of an incarnation had come. */
interface Mark {
  readonly atMs: number;
  readonly incarnation: bigint;
  readonly next: number;
}

export class Tail implements Checker {
  readonly invariant = "B2";
  private readonly marks = new Map<Machine, Mark[]>();
  private readonly boundMs: number;

  constructor(
    plan: Plan,
    private readonly calm: Calm,
    private readonly machines: readonly Machine[],
  ) {
    this.boundMs = tailMs(plan);
  }

  onSecond(): void {
    for (const machine of this.machines) {
      const sender = machine.process?.sync.flows;
      if (!sender) this.marks.delete(machine);
      else this.judge(machine, this.mark(machine, sender));
    }
  }

  /** Notes how far a stream has come; returns where it was long enough ago. */
  private mark(machine: Machine, { broadcast }: FlowSync): Mark | undefined {
    const { now } = this.calm;
    const marks = this.marks.get(machine) ?? [];
    this.marks.set(machine, marks);
    const { incarnation } = broadcast.self;
    if (marks.length > 0 && marks[0].incarnation !== incarnation) marks.length = 0;
    marks.push({ atMs: now, incarnation, next: broadcast.buffer.next });
    while (marks.length > 1 && now - marks[1].atMs >= this.boundMs) marks.shift();
    return now - marks[0].atMs >= this.boundMs ? marks[0] : undefined;
  }

  private judge(sender: Machine, mark: Mark | undefined): void {
    if (!mark || this.calm.now - this.calm.unevenMs < this.boundMs) return;
    for (const machine of this.machines) {
      const peers = machine.process?.sync.flows.broadcast.peers() ?? [];
      const peer = peers.find(({ incarnation }) => incarnation === mark.incarnation);
      if (!peer?.stream.isFollowing) continue;
      const behind = distance(peer.stream.expected, mark.next);
      if (behind <= 0) continue;
      const what = `${behind} frames of node ${sender.id} for ${Math.round(this.boundMs)} ms`;
      throw new Violation("B2", `node ${machine.id} misses ${what}`);
    }
  }
}
