/** The key of a flow in the mirror: the same for both directions. */
import { FLOW_KEY } from "../../state/mirror.js";
import { DST, DST_PORT, FAMILY, PROTOCOL, SRC, SRC_PORT } from "../dissect/packet.js";
import { sourceIsLower } from "./bucket.js";

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
