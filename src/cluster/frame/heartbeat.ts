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
import { viewOf } from "./header.js";
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
const EXACT_MAX = BigInt(Number.MAX_SAFE_INTEGER);

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
  const view = viewOf(bytes);
  const runs = view.getUint16(AT_RUN_COUNT);
  const echoes = view.getUint16(AT_ECHO_COUNT);
  if (runs > RUNS_MAX || echoes > ECHOES_MAX) return false;
  if (bytes.length !== AT_RUNS + runs * RUN_BYTES + echoes * ECHO_BYTES) return false;
  const state = view.getUint8(AT_STATE);
  if (state < 1 || state > STATES.length) return false;
  const exact = [AT_TICK, AT_EPOCH].every((at) => view.getBigUint64(at) <= EXACT_MAX);
  return exact && areAscending(view, runs) && areNamed(view, runs, echoes);
}

function areAscending(view: DataView, runs: number): boolean {
  let free = 0;
  for (let at = AT_RUNS; at < AT_RUNS + runs * RUN_BYTES; at += RUN_BYTES) {
    const first = view.getUint16(at);
    const last = view.getUint16(at + 2);
    if (first < free || last < first) return false;
    free = last + 2; // touching runs would be one run
  }
  return true;
}

function areNamed(view: DataView, runs: number, echoes: number): boolean {
  const start = AT_RUNS + runs * RUN_BYTES;
  for (let index = 0; index < echoes; index++) {
    if (view.getUint8(start + index * ECHO_BYTES) === 0) return false;
  }
  return true;
}

/** Reads what `isHeartbeat` found to be one. */
export function readHeartbeat(bytes: Uint8Array): Heartbeat {
  const view = viewOf(bytes);
  const runCount = view.getUint16(AT_RUN_COUNT);
  const echoesAt = AT_RUNS + runCount * RUN_BYTES;
  return {
    state: STATES[view.getUint8(AT_STATE) - 1] as State,
    tick: Number(view.getBigUint64(AT_TICK)),
    epoch: Number(view.getBigUint64(AT_EPOCH)),
    viewHash: view.getBigUint64(AT_VIEW),
    configDigest: view.getBigUint64(AT_CONFIG),
    challenge: view.getBigUint64(AT_CHALLENGE),
    sent: view.getUint32(AT_SENT),
    runs: Array.from({ length: runCount }, (_, index): Run => {
      const at = AT_RUNS + index * RUN_BYTES;
      return [view.getUint16(at), view.getUint16(at + 2)];
    }),
    echoes: Array.from({ length: view.getUint16(AT_ECHO_COUNT) }, (_, index) =>
      readEcho(view, echoesAt + index * ECHO_BYTES),
    ),
  };
}

function readEcho(view: DataView, at: number): Echo {
  return {
    node: view.getUint8(at),
    links: view.getUint8(at + 1),
    incarnation: view.getBigUint64(at + 2),
    challenge: view.getBigUint64(at + 10),
  };
}

/** Encodes a heartbeat of at most `RUNS_MAX` runs and `ECHOES_MAX` echoes. */
export function encodeHeartbeat(beat: Heartbeat): Uint8Array {
  const echoesAt = AT_RUNS + beat.runs.length * RUN_BYTES;
  const bytes = new Uint8Array(echoesAt + beat.echoes.length * ECHO_BYTES);
  const view = viewOf(bytes);
  bytes[0] = KIND.heartbeat;
  bytes[AT_STATE] = stateCode(beat.state);
  view.setBigUint64(AT_TICK, BigInt(beat.tick));
  view.setBigUint64(AT_EPOCH, BigInt(beat.epoch));
  view.setBigUint64(AT_VIEW, beat.viewHash);
  view.setBigUint64(AT_CONFIG, beat.configDigest);
  view.setBigUint64(AT_CHALLENGE, beat.challenge);
  view.setUint32(AT_SENT, beat.sent);
  view.setUint16(AT_RUN_COUNT, beat.runs.length);
  view.setUint16(AT_ECHO_COUNT, beat.echoes.length);
  beat.runs.forEach(([first, last], index) => {
    view.setUint16(AT_RUNS + index * RUN_BYTES, first);
    view.setUint16(AT_RUNS + index * RUN_BYTES + 2, last);
  });
  for (const [index, echo] of beat.echoes.entries()) {
    writeEcho(view, echoesAt + index * ECHO_BYTES, echo);
  }
  return bytes;
}

function writeEcho(view: DataView, at: number, echo: Echo): void {
  view.setUint8(at, echo.node);
  view.setUint8(at + 1, echo.links);
  view.setBigUint64(at + 2, echo.incarnation);
  view.setBigUint64(at + 10, echo.challenge);
}
