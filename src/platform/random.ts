/** Randomness of the system, for what an attacker must not guess. */
import { randomBytes } from "node:crypto";

/** 64 unpredictable bits. */
export function random64(): bigint {
  return randomBytes(8).readBigUInt64BE();
}
