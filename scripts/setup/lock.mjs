/** One set-up at a time: a lock directory that names its holder, and is taken from the dead. */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Milliseconds between two looks at a lock somebody holds. */
const POLL_MS = 200;

/** A lock without a holder's name is being made right now, or its maker died at that moment. */
const NAMELESS_MS_MAX = 5000;

/** Runs `work` while holding the lock at `path`; waits for as long as its holder lives. */
export function withLock(path, work) {
  let waited = false;
  while (!tryLock(path)) {
    if (!waited) console.error("setup: waiting for another set-up of this directory");
    waited = true;
    sleep(POLL_MS);
  }
  const release = () => rmSync(path, { recursive: true, force: true });
  const stop = (signal) => {
    release();
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    work();
  } finally {
    release();
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

function tryLock(path) {
  try {
    mkdirSync(path);
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    if (isStale(path)) remove(path);
    return false;
  }
  writeFileSync(join(path, "holder"), `${process.pid} ${startOf(process.pid)}`);
  return true;
}

function isStale(path) {
  try {
    const [pid, start] = readFileSync(join(path, "holder"), "utf8").split(" ");
    // A process id is used again one day; together with its start it names one process.
    if (start !== undefined) return startOf(Number(pid)) !== start;
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  try {
    return Date.now() - statSync(path).mtimeMs > NAMELESS_MS_MAX;
  } catch {
    return false; // Released in between.
  }
}

/** Renames first: of two that find the same dead lock, one removes it and one fails harmlessly. */
function remove(path) {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  rmSync(aside, { recursive: true, force: true });
}

/** Start time of a process in clock ticks since boot (proc(5), stat field 22); "" if it is gone. */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return "";
  }
}

function sleep(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
