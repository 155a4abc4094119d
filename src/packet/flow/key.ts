/** The key of a flow in the mirror: the same for both directions. */
import { FLOW_KEY, isShort } from "../../state/mirror.js";
import { Field } from "../dissect/packet.js";
import { sourceIsLower } from "./bucket.js";
import { jhash3, jhashWords } from "./jhash.js";

/** Words of an address behind its first. */
const REST_WORDS = 3;

/**
 * Writes the key of a dissected packet into `key` ({@link FLOW_KEY}); allocates nothing.
 * @returns its hash, uint32; the words of an IPv4 key that are always 0 are left out
 */
export function flowKey(packet: Int32Array, key: Int32Array, seed: number): number {
  const lower = sourceIsLower(packet);
  const from = lower ? Field.SRC : Field.DST;
  const to = lower ? Field.DST : Field.SRC;
  const high = packet[lower ? Field.SRC_PORT : Field.DST_PORT] as number;
  const low = packet[lower ? Field.DST_PORT : Field.SRC_PORT] as number;
  const protocol = ((packet[Field.FAMILY] as number) << 8) | (packet[Field.PROTOCOL] as number);
  const ports = (high << 16) | low;
  key[FLOW_KEY.PROTOCOL] = protocol;
  key[FLOW_KEY.PORTS] = ports;
  key[FLOW_KEY.LOWER] = packet[from] as number;
  key[FLOW_KEY.UPPER] = packet[to] as number;
  if (isShort(key)) {
    return jhash3(packet[from] as number, packet[to] as number, ports, seed + protocol);
  }
  for (let word = 0; word < REST_WORDS; word++) {
    key[FLOW_KEY.REST + word] = packet[from + 1 + word] as number;
    key[FLOW_KEY.REST + REST_WORDS + word] = packet[to + 1 + word] as number;
  }
  return jhashWords(key, FLOW_KEY.WORDS, seed);
}
