/** Packets that our rules decided on without us: the named counters of our table. */
import { AttributeReader } from "./conntrack/attributes.js";
import { type Message, NetlinkWriter } from "./netlink.js";
import { NEWOBJ, writeDumpCounters } from "./nftables.js";
import { NfTables } from "./request.js";
import { KERNEL_COUNTERS } from "./ruleset.js";

/** Packets by the name of the counter in our rules. */
export type RuleCounts = Record<(typeof KERNEL_COUNTERS)[number], number>;

const REQUEST_BYTES = 512;
/** Before the attributes of a message: its header, and nfgenmsg. */
const HEADERS_BYTES = 20;
/** NFTA_OBJ_NAME, NFTA_OBJ_DATA, NFTA_COUNTER_PACKETS. */
const NAME = 2;
const DATA = 4;
const PACKETS = 2;

export function noRuleCounts(): RuleCounts {
  const drops = { invalid: 0, foreign_flow: 0, undecided: 0, not_leased: 0, no_port: 0 };
  return { ...drops, known_flow: 0, early_new: 0 };
}

/** Our rules' counters over the life of a node: rules that are installed anew begin at 0. */
export class RuleCounters {
  readonly total = noRuleCounts();
  private last = noRuleCounts();

  /** Takes what was read; a counter that went back was made anew. */
  note(counts: RuleCounts): void {
    for (const name of KERNEL_COUNTERS) {
      const isAnew = counts[name] < this.last[name];
      this.total[name] += counts[name] - (isAnew ? 0 : this.last[name]);
    }
    this.last = counts;
  }
}

/** Reads the counters of one table. Belongs to one thread, as its socket does. */
export class RuleCountReader {
  private readonly tables = new NfTables();
  private readonly writer = new NetlinkWriter(REQUEST_BYTES);

  constructor(private readonly table: string) {}

  /**
   * IPv4 and IPv6 together; null where the rules changed meanwhile, or are not there.
   * @throws OpError
   */
  read(): RuleCounts | null {
    this.writer.clear();
    writeDumpCounters(this.writer, this.table);
    const counts = noRuleCounts();
    let isAny = false;
    const isWhole = this.tables.dump("read the rules' counters", this.writer, (bytes, message) => {
      if (addCount(counts, bytes, message)) isAny = true;
    });
    return isWhole && isAny ? counts : null;
  }

  close(): void {
    this.tables.close();
  }
}

/** Adds what a message of a dump says, if it is of one of our counters; whether it was. */
export function addCount(counts: RuleCounts, bytes: Buffer, message: Message): boolean {
  if (message.type !== NEWOBJ) return false;
  const found = { name: "", packets: 0 };
  const reader = new AttributeReader();
  reader.reset(bytes, message.at + HEADERS_BYTES, message.end);
  while (reader.next()) {
    if (reader.type === NAME) found.name = reader.string();
    else if (reader.type === DATA) reader.nest(readPackets, found);
  }
  const name = KERNEL_COUNTERS.find((each) => each === found.name);
  if (name === undefined || reader.error !== "") return false;
  counts[name] += found.packets;
  return true;
}

function readPackets(reader: AttributeReader, found: { packets: number }): void {
  while (reader.next()) if (reader.type === PACKETS) found.packets = reader.u64();
}
