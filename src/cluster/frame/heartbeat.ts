/**
 * HEARTBEAT: the whole of a node's state, repeated with each beat, so that a lost one costs nothing
 * but time. All numbers are big-endian.
 *
 *      0    kind   u8      1
 *      1    state  u8      joining 1, syncing 2, active 3, draining 4
 *      2    zero   u16
 *      4    tick   u64     beats of this incarnation; older ones are not obeyed
 *     12    epoch  u64     ownership generation, never goes back
 *     20    view   u64     hash of the members the sender believes active
 *     28    config u64     digest of the settings all nodes must share
 *     36    chall. u64     what a peer must echo to prove that it is alive now
 *     44    runs   u16     count of claimed runs
 *     46    echoes u16     count of echoes
 *     48    sent   u32     sequence number of the last DATA frame; 0: none yet
 *     52    runs:   first u16, last u16 (both included), ascending, not touching
 *     then  echoes: node u8, links u8, incarnation u64, challenge u64
 */
import { RUNS_MAX } from "../../config/limits.js";
import { ECHOES_MAX } from "../limits.js";
import type { Run } from "../ranges/bitmap.js";
import { number64, setNumber64, setU16, setU32, setU64, u16, u32, u64 } from "./bytes.js";
import { KIND, STATES, type State, stateCode } from "./kind.js";

const AT_STATE = 1;
const AT_TICK = 4;
const AT_EPOCH = 12;
const AT_VIEW = 20;
const AT_CONFIG = 28;
const AT_CHALLENGE = 36;
const AT_RUN_COUNT = 44;
const AT_ECHO_COUNT = 46;
const AT_SENT = 48;
const AT_RUNS = 52;
const RUN_BYTES = 4;
const ECHO_BYTES = 18;

/** "I hear this incarnation of this node, on these links, and this was its challenge." */
export interface Echo {
  readonly node: number;
  readonly incarnation: bigint;
  readonly challenge: bigint;
  /** Bit set of the links on which it is heard now; 0 of a candidate. */
  readonly links: number;
}

export interface Heartbeat {
  readonly state: State;
  readonly tick: number;
  readonly epoch: number;
  readonly viewHash: bigint;
  readonly configDigest: bigint;
  readonly challenge: bigint;
  /** Sequence number of the sender's last DATA frame, so that its loss is noticed; 0: none yet. */
  readonly sent: number;
  /** Buckets the sender owns. */
  readonly runs: readonly Run[];
  readonly echoes: readonly Echo[];
}

/** Whether `bytes` are a heartbeat in every respect but the number of buckets. */
export function isHeartbeat(bytes: Uint8Array): boolean {
  if (bytes.length < AT_RUNS || bytes[0] !== KIND.heartbeat) return false;
  const runs = u16(bytes, AT_RUN_COUNT);
  const echoes = u16(bytes, AT_ECHO_COUNT);
  if (runs > RUNS_MAX || echoes > ECHOES_MAX) return false;
  if (bytes.length !== AT_RUNS + runs * RUN_BYTES + echoes * ECHO_BYTES) return false;
  const state = bytes[AT_STATE];
  if (state < 1 || state > STATES.length) return false;
  if (number64(bytes, AT_TICK) > Number.MAX_SAFE_INTEGER) return false;
  if (number64(bytes, AT_EPOCH) > Number.MAX_SAFE_INTEGER) return false;
  return areAscending(bytes, runs) && areNamed(bytes, runs, echoes);
}

function areAscending(bytes: Uint8Array, runs: number): boolean {
  let free = 0;
  for (let at = AT_RUNS; at < AT_RUNS + runs * RUN_BYTES; at += RUN_BYTES) {
    const first = u16(bytes, at);
    const last = u16(bytes, at + 2);
    if (first < free || last < first) return false;
    free = last + 2; // touching runs would be one run
  }
  return true;
}

function areNamed(bytes: Uint8Array, runs: number, echoes: number): boolean {
  const start = AT_RUNS + runs * RUN_BYTES;
  for (let index = 0; index < echoes; index++) {
    if (bytes[start + index * ECHO_BYTES] === 0) return false;
  }
  return true;
}

/** Reads what `isHeartbeat` found to be one. */
export function readHeartbeat(bytes: Uint8Array): Heartbeat {
  const runCount = u16(bytes, AT_RUN_COUNT);
  const echoesAt = AT_RUNS + runCount * RUN_BYTES;
  return {
    state: STATES[bytes[AT_STATE] - 1] as State,
    tick: number64(bytes, AT_TICK),
    epoch: number64(bytes, AT_EPOCH),
    viewHash: u64(bytes, AT_VIEW),
    configDigest: u64(bytes, AT_CONFIG),
    challenge: u64(bytes, AT_CHALLENGE),
    sent: u32(bytes, AT_SENT),
    runs: Array.from({ length: runCount }, (_, index): Run => {
      const at = AT_RUNS + index * RUN_BYTES;
      return [u16(bytes, at), u16(bytes, at + 2)];
    }),
    echoes: Array.from({ length: u16(bytes, AT_ECHO_COUNT) }, (_, index) =>
      readEcho(bytes, echoesAt + index * ECHO_BYTES),
    ),
  };
}

function readEcho(bytes: Uint8Array, at: number): Echo {
  return {
    node: bytes[at],
    links: bytes[at + 1],
    incarnation: u64(bytes, at + 2),
    challenge: u64(bytes, at + 10),
  };
}

/** Encodes a heartbeat of at most `RUNS_MAX` runs and `ECHOES_MAX` echoes. */
export function encodeHeartbeat(beat: Heartbeat): Uint8Array {
  const echoesAt = AT_RUNS + beat.runs.length * RUN_BYTES;
  const bytes = new Uint8Array(echoesAt + beat.echoes.length * ECHO_BYTES);
  bytes[0] = KIND.heartbeat;
  bytes[AT_STATE] = stateCode(beat.state);
  setNumber64(bytes, AT_TICK, beat.tick);
  setNumber64(bytes, AT_EPOCH, beat.epoch);
  setU64(bytes, AT_VIEW, beat.viewHash);
  setU64(bytes, AT_CONFIG, beat.configDigest);
  setU64(bytes, AT_CHALLENGE, beat.challenge);
  setU32(bytes, AT_SENT, beat.sent);
  setU16(bytes, AT_RUN_COUNT, beat.runs.length);
  setU16(bytes, AT_ECHO_COUNT, beat.echoes.length);
  beat.runs.forEach(([first, last], index) => {
    setU16(bytes, AT_RUNS + index * RUN_BYTES, first);
    setU16(bytes, AT_RUNS + index * RUN_BYTES + 2, last);
  });
  for (const [index, echo] of beat.echoes.entries()) {
    writeEcho(bytes, echoesAt + index * ECHO_BYTES, echo);
  }
  return bytes;
}

function writeEcho(bytes: Uint8Array, at: number, echo: Echo): void {
  bytes[at] = echo.node;
  bytes[at + 1] = echo.links;
  setU64(bytes, at + 2, echo.incarnation);
  setU64(bytes, at + 10, echo.challenge);
}
