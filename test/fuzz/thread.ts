/** A thread that fuzzes one target until it is ended, and says how far it is. */
import { parentPort, workerData } from "node:worker_threads";
import { Fuzzer } from "./fuzzer.js";
import { TARGETS } from "./targets/index.js";
import type { FuzzThreadData, FuzzThreadMessage } from "./watch.js";

/** Inputs between two reports. */
const ROUND = 256;

const { target: name, seed, count, progress } = workerData as FuzzThreadData;
const target = (TARGETS[name] as (typeof TARGETS)[string])();
const say = (message: FuzzThreadMessage) => parentPort?.postMessage(message);
const fuzzer = new Fuzzer(target, seed);
say({ kind: "ready", input: target.input });

let finding = null;
do {
  finding = await fuzzer.run(Math.min(ROUND, count - fuzzer.tried));
  Atomics.store(progress, 0, fuzzer.tried % 2 ** 31);
} while (finding === null && fuzzer.tried < count && Atomics.load(progress, 1) === 0);
const { tried, behaviours, corpusSize } = fuzzer;
say({ kind: "end", tried, behaviours, corpusSize, finding });
await target.close?.();
