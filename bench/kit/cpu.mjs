/** Processor time from /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** USER_HZ: the kernel shows times in hundredths of a second on every Linux (proc(5)). */
const MS_PER_TICK = 10;

/** Milliseconds that a process has used, all its threads, user and system. */
export function processMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** Milliseconds that all processors were busy, whatever with: interrupts included. */
export function busyMs() {
  const [user, nice, system, , , irq, softirq] = readFileSync("/proc/stat", "utf8")
    .split("\n", 1)[0]
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) * MS_PER_TICK;
}

const IDLE_MS = 300;
const QUIET_MS_MAX = 3000;
/** Processors: what the last lab left to the kernel to tear down is gone below this. */
const QUIET = 0.1;

/**
 * Waits for the machine to become quiet, for a bounded time.
 * @returns processors that are busy with something else, to be taken off a measurement
 */
export async function idleShare() {
  const end = performance.now() + QUIET_MS_MAX;
  for (;;) {
    const [busy, start] = [busyMs(), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const share = (busyMs() - busy) / (performance.now() - start);
    if (share < QUIET || performance.now() > end) return share;
  }
}

const NS_PER_MS = 1e6;

/** Milliseconds that a task of a process has run. What interrupts did meanwhile is not in it. */
function taskMs(pid, task) {
  return (
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]) / NS_PER_MS
  );
}

/** The same of its first thread, which has the name of all that Node starts beside it. */
export const mainMs = (pid) => taskMs(pid, pid);

/** Milliseconds that the programs have used which a process has started and seen end. */
export function childrenMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) * MS_PER_TICK;
}

/** Milliseconds that each thread has run, by the thread's name; threads of one name together. */
export function threadMs(pid) {
  const found = {};
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      const name = readFileSync(`/proc/${pid}/task/${task}/comm`, "utf8").trim();
      found[name] = (found[name] ?? 0) + taskMs(pid, task);
    } catch {
      // The thread has ended since the directory was read.
    }
  }
  return found;
}
