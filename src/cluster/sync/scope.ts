/**
 * Which flows of the replicated protocols are left out, by state and by address. It guards both
 * ways: what this node tells, and what peers may create in its kernel.
 */
import { addressBytes, type Prefix } from "../../config/address.js";
import { PROTOCOL } from "../../kernel/conntrack/constants.js";
import type { FlowState, Replicated } from "../flows/record.js";

export interface ScopeSettings {
  /** States of TCP connections that are told. A connection that leaves them ends at the peers. */
  readonly states: readonly FlowState[];
  /** A flow with an end in one of these is left out. */
  readonly ignore: readonly Prefix[];
  /** A flow without an end in one of these is left out; empty: none is for this reason. */
  readonly only: readonly Prefix[];
}

type Matches = (address: Uint8Array) => boolean;

export function inScope({ states, ignore, only }: ScopeSettings): (record: Replicated) => boolean {
  const told = new Set(states);
  // A change of something else comes without a state: it is as it was.
  const isTold = (state: FlowState) => state === "none" || told.has(state);
  const isIgnored = matcher(ignore);
  const isChosen = matcher(only);
  return (record) => {
    if (record.kind === "flow" && record.protocol === PROTOCOL.TCP && !isTold(record.state)) {
      return false;
    }
    const ends = endsOf(record);
    if (ends.some(isIgnored)) return false;
    return only.length === 0 || ends.some(isChosen);
  };
}

/** Who opened the flow, whom it was meant for, and who answers it; of an expectation its flow's. */
function endsOf(record: Replicated): Uint8Array[] {
  const { src, dst } = record.kind === "flow" ? record.original : record.master;
  return record.kind === "flow" ? [src, dst, record.reply.src] : [src, dst];
}

function matcher(prefixes: readonly Prefix[]): Matches {
  const all = prefixes.map(({ address, length }) => ({ bytes: addressBytes(address), length }));
  return (address) => all.some(({ bytes, length }) => isWithin(address, bytes, length));
}

/** Whether the first `bits` of both are equal; addresses of two families never are. */
function isWithin(address: Uint8Array, prefix: Uint8Array, bits: number): boolean {
  if (address.length !== prefix.length) return false;
  const whole = bits >>> 3;
  for (let at = 0; at < whole; at++) if (address[at] !== prefix[at]) return false;
  const rest = bits & 7;
  if (rest === 0) return true;
  const differing = (address[whole] as number) ^ (prefix[whole] as number);
  return differing >>> (8 - rest) === 0;
}
