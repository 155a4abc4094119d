/** Loads programs; what the verifier says of one that it refuses is the error. */
import { type BpfProgram, native } from "../../platform/native.js";
import { errnoName, OpError } from "../../platform/op-error.js";

const SCHED_CLS = 3; // enum bpf_prog_type
const LOG_BYTES = 65536;
/** The last lines of the verifier tell what it objects to. */
const LOG_LINES = 4;

/** Kinds of maps (enum bpf_map_type). */
export const MAP = { ARRAY: 2, PERCPU_ARRAY: 6 } as const;

/**
 * Loads a classifier.
 * @param name at most 15 letters, digits and `_`, for `bpftool`
 * @throws OpError, EPERM without CAP_BPF and CAP_NET_ADMIN in the initial user namespace
 */
export function loadClassifier(name: string, instructions: Uint8Array): BpfProgram {
  try {
    return new native.BpfProgram(SCHED_CLS, instructions, name, new Uint8Array(0));
  } catch (cause) {
    const code = errnoName(cause);
    if (code === "EPERM") throw new OpError(`load the program ${name}`, code, "needs CAP_BPF");
    throw new OpError(`load the program ${name}`, code, verifierText(name, instructions), {
      cause,
    });
  }
}

/** Loads it again for what the verifier has to say. */
function verifierText(name: string, instructions: Uint8Array): string {
  const log = Buffer.alloc(LOG_BYTES);
  try {
    new native.BpfProgram(SCHED_CLS, instructions, name, log).close();
  } catch {
    // As before; now the log tells why.
  }
  const end = log.indexOf(0);
  const lines = log
    .toString("latin1", 0, end < 0 ? log.length : end)
    .trim()
    .split("\n");
  return `the verifier: ${lines.slice(-LOG_LINES).join("; ")}`;
}
