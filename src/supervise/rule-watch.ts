/** What our rules have counted so far, and a warning when translations run out of ports. */
import type { Config } from "../config/types.js";
import { readInsertFailed } from "../kernel/drops.js";
import { RuleCounters, RuleCountReader, type RuleCounts } from "../kernel/rule-counts.js";
import { bootMs } from "../platform/clock.js";
import type { Logger } from "../platform/log.js";
import { PortWatch } from "./port-watch.js";
import { tableName } from "./settings.js";

export class RuleWatch {
  private readonly counters = new RuleCounters();
  private readonly reader: RuleCountReader;
  private readonly ports: PortWatch;

  /** @throws OpError */
  constructor(
    private readonly config: Config,
    log: Logger,
  ) {
    this.reader = new RuleCountReader(tableName(config.cluster.name));
    this.ports = new PortWatch(log);
  }

  /** As of the last {@link read}. */
  get total(): Readonly<RuleCounts> {
    return this.counters.total;
  }

  read(): void {
    try {
      const counts = this.reader.read();
      if (counts !== null) this.counters.note(counts);
    } catch {
      // The kernel is busy: the last figures stand; that rules are lost is for control to report.
    }
  }

  /** The same, and looks whether new flows found no port. */
  watch(): void {
    this.read();
    if (this.config.nat.length === 0) return;
    this.ports.note({ noPort: this.total.no_port, insertFailed: readInsertFailed() }, bootMs());
  }

  close(): void {
    this.reader.close();
  }
}
