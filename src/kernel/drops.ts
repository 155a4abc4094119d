/** Packets that the kernel decided on before or after we saw them, read back from it. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { KERNEL_COUNTERS } from "./ruleset.js";

/** Where the kernel lists the queues of a namespace. */
export const QUEUES = "/proc/net/netfilter/nfnetlink_queue";
const run = promisify(execFile);

/** Losses of our queues: the queue was full, the socket's buffer was full. */
export interface QueueDrops {
  readonly queueDropped: number;
  readonly socketDropped: number;
}

/**
 * Sums the drops of the queues `first` to `first + count - 1`.
 * @param text columns: queue, port id, waiting, copy mode, copy range, queue dropped, user dropped,
 * last id, 1
 */
export function parseQueueDrops(text: string, first: number, count: number): QueueDrops {
  let queueDropped = 0;
  let socketDropped = 0;
  for (const line of text.split("\n")) {
    const columns = line.trim().split(/\s+/).map(Number);
    const queue = columns[0] ?? -1;
    if (columns.length < 7 || queue < first || queue >= first + count) continue;
    queueDropped += columns[5] as number;
    socketDropped += columns[6] as number;
  }
  return { queueDropped, socketDropped };
}

export function readQueueDrops(first: number, count: number): QueueDrops {
  try {
    return parseQueueDrops(readFileSync(QUEUES, "utf8"), first, count);
  } catch {
    return { queueDropped: 0, socketDropped: 0 }; // no queue is open in this kernel
  }
}

/** Whether some process of this namespace has opened the queue. */
export function isQueueOpen(queue: number): boolean {
  try {
    const lines = readFileSync(QUEUES, "utf8").split("\n");
    return lines.some((line) => Number(line.trim().split(/\s+/)[0] || -1) === queue);
  } catch {
    return false; // not even readable: no queue is open, or the kernel has none
  }
}

/** Where connection tracking counts, a line per processor under a line of names. */
const CONNTRACK_STATISTICS = "/proc/net/stat/nf_conntrack";

/**
 * New flows that the kernel dropped in the end, because another one had their tuple: the sum over
 * the processors, since the namespace was made. @param text columns are hex
 */
export function parseInsertFailed(text: string): number {
  const [names, ...processors] = text.trim().split("\n");
  const column = (names ?? "").trim().split(/\s+/).indexOf("insert_failed");
  return processors.reduce((sum, line) => {
    return sum + (Number.parseInt(line.trim().split(/\s+/)[column] ?? "", 16) || 0);
  }, 0);
}

/** 0 on a kernel without CONFIG_NF_CONNTRACK_PROCFS. */
export function readInsertFailed(): number {
  try {
    return parseInsertFailed(readFileSync(CONNTRACK_STATISTICS, "utf8"));
  } catch {
    return 0;
  }
}

/** Packets by the name of the counter in our rules. */
export type RuleCounts = Record<(typeof KERNEL_COUNTERS)[number], number>;

function noRuleCounts(): RuleCounts {
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

interface NftCounters {
  nftables: { counter?: { family: string; table: string; name: string; packets: number } }[];
}

/**
 * Packets per counter of `table`, IPv4 and IPv6 together. @param json what `nft -j list counters`
 * prints
 */
export function parseRuleCounts(json: string, table: string): RuleCounts {
  const counts = noRuleCounts();
  for (const { counter } of (JSON.parse(json) as NftCounters).nftables) {
    if (counter === undefined || counter.table !== table) continue;
    const name = counter.name as keyof RuleCounts;
    if (name in counts) counts[name] += counter.packets;
  }
  return counts;
}

/** Reads the counters through `nft` without blocking the thread. @throws Error when nft fails */
export async function readRuleCounts(table: string): Promise<RuleCounts> {
  const { stdout } = await run("nft", ["-j", "list", "counters"], { timeout: 5000 });
  return parseRuleCounts(stdout, table);
}
