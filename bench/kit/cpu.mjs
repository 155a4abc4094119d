/** Processor time from /proc. */
import { readFileSync } from "node:fs";

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
