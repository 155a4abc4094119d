/** One measurement of `hits` and `scale`: a lab, a contestant, a load. */
import { Lab } from "../../dist/demo/lab.js";
import { idleShare } from "./cpu.mjs";
import { hit, openHttp } from "./http.mjs";

/** A figure counts only without errors; a busy machine may make some. */
const TRIES = 3;

/** @returns hits per second, and the microseconds that all processors were busy for each */
export async function hitsRound({ name, start }, nodes, seconds) {
  let last = null;
  for (let tried = 0; tried < TRIES; tried++) {
    last = await measured(start, nodes, seconds);
    if (last.errors === 0) {
      const cpu = (last.busyMs * 1000) / last.hits;
      return { hits: last.hits / last.seconds, cpu, slow: (100 * last.slow) / last.hits };
    }
  }
  throw new Error(`${name}, ${nodes} nodes: ${last.errors} errors beside ${last.hits} hits`);
}

async function measured(start, nodes, seconds) {
  const idle = await idleShare();
  const lab = Lab.open(nodes);
  try {
    await openHttp(lab);
    await start(lab);
    const found = await hit(lab, { seconds });
    return { ...found, busyMs: found.busyMs - idle * found.seconds * 1000 };
  } finally {
    await lab.close();
  }
}
