/**
 * Closes what is open when the process ends: at its `exit` event, which also follows an uncaught
 * error, and at the signals that would end it without one.
 */
export interface Closable {
  /** Closes in one blocking call: at exit nothing asynchronous runs any more. */
  closeNow(): void;
}

/** Signals and the exit code that shells give for them. */
const EXIT_CODES: ReadonlyMap<string, number> = new Map([
  ["SIGHUP", 129],
  ["SIGINT", 130],
  ["SIGTERM", 143],
]);

const guarded = new Set<Closable>();

/** Has `closeNow` called at the end of the process. */
export function closeAtExit(each: Closable): void {
  if (guarded.size === 0) {
    process.on("exit", closeAll);
    for (const signal of EXIT_CODES.keys()) process.on(signal, onSignal);
  }
  guarded.add(each);
}

export function isClosedAtExit(each: Closable): boolean {
  return guarded.has(each);
}

/** Forgets what was closed before; without anything to guard the signals do again what they did. */
export function noLongerAtExit(each: Closable): void {
  if (!guarded.delete(each) || guarded.size > 0) return;
  process.off("exit", closeAll);
  for (const signal of EXIT_CODES.keys()) process.off(signal, onSignal);
}

function closeAll(): void {
  for (const each of guarded) each.closeNow();
}

function onSignal(signal: string): void {
  closeAll();
  process.exit(EXIT_CODES.get(signal) ?? 1);
}
