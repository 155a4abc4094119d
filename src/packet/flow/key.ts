/** The key of a flow in the mirror: the same for both directions. */
import { FLOW_KEY } from "../../state/mirror.js";
import { DST, DST_PORT, FAMILY, PROTOCOL, SRC, SRC_PORT } from "../dissect/packet.js";
import { sourceIsLower } from "./bucket.js";
import { jhash3, jhashWords } from "./jhash.js";

const ADDRESS_WORDS = 4;

/** Writes the key of a dissected packet into `key` ({@link FLOW_KEY}); allocates nothing. */
export function flowKey(packet: Int32Array, key: Int32Array): void {
  const lower = sourceIsLower(packet);
  const from = lower ? SRC : DST;
  const to = lower ? DST : SRC;
  const high = packet[lower ? SRC_PORT : DST_PORT] as number;
  const low = packet[lower ? DST_PORT : SRC_PORT] as number;
  key[FLOW_KEY.PROTOCOL] = ((packet[FAMILY] as number) << 8) | (packet[PROTOCOL] as number);
  key[FLOW_KEY.PORTS] = (high << 16) | low;
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    key[FLOW_KEY.LOWER + word] = packet[from + word] as number;
    key[FLOW_KEY.UPPER + word] = packet[to + word] as number;
  }
}

/** uint32; the words of an IPv4 key that are always 0 are left out. */
export function hashOfKey(key: Int32Array, seed: number): number {
  const protocol = key[FLOW_KEY.PROTOCOL] as number;
  if (protocol >> 8 !== 4) return jhashWords(key, FLOW_KEY.WORDS, seed);
  const lower = key[FLOW_KEY.LOWER] as number;
  const upper = key[FLOW_KEY.UPPER] as number;
  return jhash3(lower, upper, key[FLOW_KEY.PORTS] as number, seed + protocol);
}
