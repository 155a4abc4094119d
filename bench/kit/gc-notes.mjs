/**
 * Loaded into every thread of a node before its own code (NODE_OPTIONS=--import): notes the pauses
 * of the thread's garbage collector in a file of the directory SHARDWALL_BENCH_GC.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PerformanceObserver } from "node:perf_hooks";
import { threadId } from "node:worker_threads";

const WRITE_MS = 500;

const directory = process.env.SHARDWALL_BENCH_GC;
if (directory !== undefined) {
  const pauses = [];
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) pauses.push(duration);
  });
  observer.observe({ entryTypes: ["gc"] });
  const file = join(directory, `${process.pid}-${threadId}.json`);
  const write = () => {
    const name = readFileSync("/proc/thread-self/comm", "utf8").trim();
    writeFileSync(file, JSON.stringify({ name, pauses }));
  };
  setInterval(write, WRITE_MS).unref();
}
