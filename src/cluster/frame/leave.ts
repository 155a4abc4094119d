/**
 * LEAVE: the sender has given up its range and its lease and will send nothing more. It only saves
 * the peers the wait for silence, so its loss means a takeover after `failureMs`, no worse.
 *
 *      0    kind   u8      2
 *      1    zero   u8[3]
 *      4    tick   u64     as in a heartbeat, higher than any sent before
 */
import { number64, setNumber64 } from "./bytes.js";
import { KIND } from "./kind.js";

const AT_TICK = 4;
const LEAVE_BYTES = 12;

export function isLeave(bytes: Uint8Array): boolean {
  if (bytes.length !== LEAVE_BYTES || bytes[0] !== KIND.leave) return false;
  return number64(bytes, AT_TICK) <= Number.MAX_SAFE_INTEGER;
}

/** The tick of a body that `isLeave` found to be one. */
export function leaveTick(bytes: Uint8Array): number {
  return number64(bytes, AT_TICK);
}

export function encodeLeave(tick: number): Uint8Array {
  const bytes = new Uint8Array(LEAVE_BYTES);
  bytes[0] = KIND.leave;
  setNumber64(bytes, AT_TICK, tick);
  return bytes;
}
