/** Packets that the kernel dropped before or after we saw them, as /proc has it. */
import { readFileSync } from "node:fs";

/** Where the kernel lists the queues of a namespace. */
export const QUEUES = "/proc/net/netfilter/nfnetlink_queue";

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
