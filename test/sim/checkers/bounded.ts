/** B3, B6, C5, invariant 6: every buffer has its bound, and every packet seen its reason. */
import type { FlowOutput } from "../../../src/cluster/flows/output.js";
import { KIND } from "../../../src/cluster/frame/kind.js";
import {
  HELD_FRAMES_MAX,
  NAK_REPEAT_MS,
  RESYNC_REPEAT_MS,
  TOMBSTONES_MAX,
  YOUNG_MAX,
} from "../../../src/cluster/limits.js";
import type { Machine, Process } from "../machine.js";
import type { Plan } from "../plan.js";
import { type Checker, Violation } from "../watch.js";

export class Bounded implements Checker {
  readonly invariant = "B3, B6, C5, 6";
  private readonly asked = new Map<Process, { naks: number; resyncs: number }>();

  constructor(
    private readonly plan: Plan,
    private readonly machines: readonly Machine[],
  ) {}

  onFlowOutput(_machine: Machine, process: Process, output: FlowOutput): void {
    if (output.kind !== "send") return;
    const kind = output.body[0];
    if (kind !== KIND.nak && kind !== KIND.resync) return;
    const asked = this.asked.get(process) ?? { naks: 0, resyncs: 0 };
    this.asked.set(process, asked);
    if (kind === KIND.nak) asked.naks += 1;
    else asked.resyncs += 1;
  }

  onSecond(): void {
    for (const { id, process } of this.machines) if (process) this.look(`node ${id}`, process);
    this.asked.clear();
  }

  private look(name: string, process: Process): void {
    const { flows } = process.sync;
    const { frames, flowsMax } = this.plan.settings;
    const { broadcast, shelf, author } = flows;
    within("B3", `${name}: frames kept`, broadcast.buffer.fill, frames);
    within("C5", `${name}: flows`, shelf.table.size, flowsMax);
    within("C5", `${name}: tombstones`, shelf.tombstones.size, TOMBSTONES_MAX);
    within("C5", `${name}: young flows`, author.young.size, YOUNG_MAX);
    for (const peer of broadcast.peers()) {
      within("B3", `${name}: frames held`, peer.stream.heldFrames, HELD_FRAMES_MAX);
    }
    const asked = this.asked.get(process);
    const peers = this.machines.length - 1;
    // A clock may run fast, and a second thread of a tick may fall into this second.
    const most = (everyMs: number) => peers * (1100 / everyMs + 2);
    within("B6", `${name}: NAKs in a second`, asked?.naks ?? 0, most(NAK_REPEAT_MS));
    within("B6", `${name}: RESYNCs in a second`, asked?.resyncs ?? 0, most(RESYNC_REPEAT_MS));
    const { seen, byReason } = process.worker;
    const counted = byReason.reduce((total, count) => total + count, 0);
    if (counted !== seen) throw new Violation("6", `${name}: ${seen} seen, ${counted} reasons`);
  }
}

function within(invariant: string, what: string, value: number, most: number): void {
  if (value > most) throw new Violation(invariant, `${what}: ${value}, at most ${most}`);
}
