// How late does a thread wake up on a busy machine? One ordinary thread and one with real-time
// priority sleep 5 ms at a time beside twice as many busy processes as there are CPUs.
//
//     node bench/oversleep.mjs [SECONDS]      as root (CAP_SYS_NICE)
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { bootMs } from "../dist/platform/clock.js";
import { enterThread } from "../dist/platform/threads.js";

const SLEEP_MS = 5;
const seconds = Number(process.argv[2] ?? 10);

function measure({ name, scheduling }) {
  enterThread(name, scheduling);
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const end = bootMs() + seconds * 1000;
  let latest = 0;
  while (bootMs() < end) {
    const before = bootMs();
    Atomics.wait(cell, 0, 0, SLEEP_MS);
    latest = Math.max(latest, bootMs() - before - SLEEP_MS);
  }
  parentPort.postMessage(latest);
}

async function main() {
  const spin = `const end = Date.now() + ${seconds * 1000 + 500}; while (Date.now() < end);`;
  const load = Array.from({ length: 2 * availableParallelism() }, () =>
    spawn(process.execPath, ["-e", spin]),
  );
  const kinds = [
    { name: "ordinary", scheduling: { nice: 0 } },
    { name: "real-time", scheduling: { realtime: 1, nice: -15 } },
  ];
  const results = await Promise.all(
    kinds.map((workerData) => {
      const worker = new Worker(new URL(import.meta.url), { workerData, argv: [seconds] });
      return new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject));
    }),
  );
  for (const child of load) child.kill("SIGKILL");
  kinds.forEach(({ name }, index) => {
    console.log(`${name.padEnd(10)} overslept by up to ${results[index].toFixed(1)} ms`);
  });
  console.log(`ratio      ${(results[0] / results[1]).toFixed(1)}`);
}

if (isMainThread) await main();
else measure(workerData);
