/** A mirror that holds the flows of a MemoryCapture. */
import { dissect } from "../../dist/packet/dissect/dissect.js";
import { newPacket } from "../../dist/packet/dissect/packet.js";
import { flowKey } from "../../dist/packet/flow/key.js";
import { bootMs } from "../../dist/platform/clock.js";
import { tableMemory } from "../../dist/platform/table-memory.js";
import { FLOW_KEY, Mirror, mirrorBytes, NOT_MIRRORED } from "../../dist/state/mirror.js";
import { IP_BYTES, writeClient, writeReply } from "./packets.mjs";

const IDLE_MS = 3_600_000;
const BUCKET = 1;

/** Places for each flow: with as many places as flows, many sets overflow. */
export const PLACES_PER_FLOW = 2;

/** @param flows a power of two. @returns the mirror, its bytes, and how many flows it found no place for */
export function fullMirror(flows, seed) {
  const places = flows * PLACES_PER_FLOW;
  const memory = tableMemory(mirrorBytes(1, places));
  const mirror = new Mirror({ ...memory, shards: 1, flows: places, own: 0, idleMs: IDLE_MS });
  const keys = keysOf(seed);
  const now = bootMs();
  keys.each(flows, (key, hash) => mirror.remember(key, hash, BUCKET, now));
  let missing = 0;
  keys.each(flows, (key, hash) => {
    if (mirror.find(key, hash, now) === NOT_MIRRORED) missing++;
  });
  return { mirror, bytes: memory.buffer.byteLength, missing };
}

/** Key and hash of each flow, as a worker makes them of its packets. */
function keysOf(seed) {
  const key = new Int32Array(FLOW_KEY.WORDS);
  const packet = newPacket();
  const bytes = new Uint8Array(IP_BYTES);
  writeReply(bytes, 0);
  const each = (flows, action) => {
    for (let flow = 0; flow < flows; flow++) {
      writeClient(bytes, 0, flow);
      dissect(bytes, 0, IP_BYTES, packet);
      action(key, flowKey(packet, key, seed));
    }
  };
  return { each };
}
