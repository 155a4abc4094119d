/**
 * R: what an owner's kernel has let in is in its table within R, also where nothing follows the
 * first packet. What is missing there no peer has ever heard of.
 */
import { hasBucket } from "../../../src/cluster/ranges/bitmap.js";
import { replicationMs } from "../bounds.js";
import type { Calm } from "../calm.js";
import type { Entry } from "../kernel.js";
import type { Machine } from "../machine.js";
import type { Plan } from "../plan.js";
import { type Checker, Violation } from "../watch.js";

/** Tables below this may refuse flows. */
const SMALL_TABLE = 1000;

export class Told implements Checker {
  readonly invariant = "R";
  private readonly lagMs: number;

  constructor(
    private readonly plan: Plan,
    private readonly calm: Calm,
    private readonly machines: readonly Machine[],
  ) {
    this.lagMs = replicationMs(plan);
  }

  onSecond(): void {
    const { steadySinceMs, now } = this.calm;
    if (this.plan.settings.flowsMax < SMALL_TABLE || now - steadySinceMs < this.lagMs) return;
    for (const machine of this.machines) this.judge(machine, steadySinceMs, now);
  }

  private judge({ id, kernel, process, accepting }: Machine, sinceMs: number, now: number): void {
    if (!process || !accepting) return;
    const { table } = process.sync.flows.shelf;
    const isMeant = ({ record, letInMs, untilMs }: Entry) =>
      letInMs > sinceMs && now - letInMs >= this.lagMs && untilMs > now && record.state !== "over";
    for (const entry of kernel.entries.values()) {
      const { connection, record, letInMs } = entry;
      if (!isMeant(entry) || !hasBucket(accepting, record.bucket)) continue;
      if (table.get(connection.key)) continue;
      const what = `flow ${connection.name} of ${Math.round(now - letInMs)} ms`;
      throw new Violation("R", `node ${id} has never told of ${what}, which it let in`);
    }
  }
}
