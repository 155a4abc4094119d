/**
 * NAK: "these frames of yours have not arrived here". Repeated while frames are missing, so its
 * loss costs one more wait.
 *
 *      0    address  12 bytes   see address.ts; count of runs, 1..NAK_RUNS_MAX
 *     12    runs: first u32, frames u16 (at least 1)
 */
import { NAK_RUNS_MAX } from "../limits.js";
import type { Member } from "../membership/view.js";
import { ADDRESS_BYTES, isAddressed, newAddressed, partCount } from "./address.js";
import { setU16, setU32, u16, u32 } from "./bytes.js";
import { KIND } from "./kind.js";

const RUN_BYTES = 6;

/** Frames `first` to `first + frames - 1`, around 2^32. */
export interface SequenceRun {
  readonly first: number;
  readonly frames: number;
}

export function isNak(bytes: Uint8Array): boolean {
  if (!isAddressed(bytes, KIND.nak, RUN_BYTES)) return false;
  const count = partCount(bytes);
  return count > 0 && count <= NAK_RUNS_MAX && nakRuns(bytes).every(({ frames }) => frames > 0);
}

/** The runs of a body that `isNak` found to be one. */
export function nakRuns(bytes: Uint8Array): SequenceRun[] {
  return Array.from({ length: partCount(bytes) }, (_, index) => {
    const at = ADDRESS_BYTES + index * RUN_BYTES;
    return { first: u32(bytes, at), frames: u16(bytes, at + 4) };
  });
}

/** Encodes at most `NAK_RUNS_MAX` runs. */
export function encodeNak(to: Member, runs: readonly SequenceRun[]): Uint8Array {
  const bytes = newAddressed(KIND.nak, to, runs.length, RUN_BYTES);
  runs.forEach(({ first, frames }, index) => {
    setU32(bytes, ADDRESS_BYTES + index * RUN_BYTES, first);
    setU16(bytes, ADDRESS_BYTES + index * RUN_BYTES + 4, frames);
  });
  return bytes;
}
