/** Packets to begin with: those of the captures, where they are there, and a few of our own. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Frame, networkOffset, readCapture, readHexFrame } from "../fixture/pcap.js";
import { folder } from "../fixture/testdata-folder.js";

export const hasTestdata = existsSync(folder);

/** No more than a worker gets to see of a packet. */
const PACKET_BYTES_MAX = 256;
const PACKETS_MAX = 1500;

/** One packet of each kind, so that nothing depends on the captures. */
const OWN = [
  // TCP SYN, TCP with options, UDP, ICMP echo
  "4500002800010000400600000a000001c000020104d20050000000010000000050020400000000000000",
  "4600002c00010000400600000a000001c000020101010101c0000050000000010000000050100400000000000000",
  "4500001c00010000401100000a000001c0000201003504d200080000",
  "4500001c00010000400100000a000001c00002010800000000010001",
  // ICMP: time exceeded, with a SYN in it
  `4500003800010000400100000a0000fe0a0000010b000000000000004500002800010000400600000a000001
   c000020104d2005000000001`,
  // IPv6: TCP SYN, hop-by-hop + UDP, atomic fragment + UDP, ICMPv6 echo, packet too big
  `600000000014064020010db800000000000000000000000120010db800000000000000000000000204d20050
   000000010000000050020400000000000000`,
  `600000000010004020010db800000000000000000000000120010db80000000000000000000000021100010400000000
   003504d200080000`,
  `6000000000102c4020010db800000000000000000000000120010db80000000000000000000000021100000000000001
   003504d200080000`,
  `6000000000083a4020010db800000000000000000000000120010db8000000000000000000000002
   8000000000010001`,
  `6000000000383a4020010db800000000000000000000000120010db8000000000000000000000002
   0200000000000500
   600000000008114020010db800000000000000000000000220010db8000000000000000000000001
   003504d200080000`,
  // SCTP INIT, DCCP request, UDP-Lite, GRE, ESP
  "4500002400010000408400000a000001c000020104d20050000000000000000001000004",
  "4500002400010000402100000a000001c000020104d200500400000001000000000000000000000000",
  "4500001c00010000408800000a000001c0000201003504d200000000",
  "4500001800010000402f00000a000001c000020100000800",
  "4500001c00010000403200000a000001c00002010000000100000001",
];

export function packets(): Uint8Array[] {
  const own = OWN.map((text) => Uint8Array.from(Buffer.from(text.replace(/\s+/g, ""), "hex")));
  return [...own, ...captured()];
}

function captured(): Uint8Array[] {
  if (!hasTestdata) return [];
  const root = join(folder, "pcap");
  const found: Uint8Array[] = [];
  for (const name of readdirSync(root, { recursive: true, encoding: "utf8" }).sort()) {
    if (!statSync(join(root, name)).isFile()) continue;
    const file = readFileSync(join(root, name));
    for (const frame of framesOf(name, file).slice(0, 40)) {
      const at = networkOffset(frame);
      if (at < 0 || at >= frame.bytes.length) continue;
      found.push(frame.bytes.slice(at, at + PACKET_BYTES_MAX));
    }
  }
  return found.slice(0, PACKETS_MAX);
}

function framesOf(name: string, file: Uint8Array): Frame[] {
  if (name.endsWith(".dat")) return [readHexFrame(Buffer.from(file).toString("latin1"))];
  return readCapture(file) ?? [];
}
