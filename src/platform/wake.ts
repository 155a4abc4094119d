/** An eventfd(2) of another thread, by its number; EventFd of native.ts is the maker's side. */
import { readSync, writeSync } from "node:fs";

const one = Buffer.from(BigUint64Array.of(1n).buffer);
const count = Buffer.alloc(8);

/** Wakes whoever waits for it. */
export function signalWake(fd: number): void {
  whereReady(() => writeSync(fd, one));
}

/** Makes it quiet again. */
export function clearWake(fd: number): void {
  whereReady(() => readSync(fd, count, 0, count.length, null));
}

/** EAGAIN: it is signalled already, or quiet already. */
function whereReady(action: () => void): void {
  try {
    action();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
  }
}
