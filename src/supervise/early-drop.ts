/**
 * The early drop of a running node, from its configuration; absent where it is not wanted or not
 * possible, which costs speed and nothing else.
 *
 * A program that computed other buckets than the workers would cut connections. So before it is put
 * into its place it is run on frames whose buckets the workers' code tells: the verifier, the
 * compiler of this kernel and this build agree, or there is no early drop.
 */
import { addressBytes } from "../config/address.js";
import type { Config } from "../config/types.js";
import type { DropSettings, SlicedAddress } from "../kernel/bpf/bucket.js";
import { EarlyDrop, macBytes } from "../kernel/bpf/early-drop.js";
import { loadClassifier } from "../kernel/bpf/load.js";
import { bucketProgram } from "../kernel/bpf/program.js";
import { dissect } from "../packet/dissect/dissect.js";
import { newPacket } from "../packet/dissect/packet.js";
import { BucketHash } from "../packet/flow/bucket.js";
import { jhash1 } from "../packet/flow/jhash.js";
import type { Logger } from "../platform/log.js";
import { OpError } from "../platform/op-error.js";
import { PortSlices } from "../state/port-slices.js";
import { clusterInterfaces } from "./settings.js";

const TRIAL_FRAMES = 256;
const ETHERNET_BYTES = 14;
const TCP_BYTES = 20;

/**
 * Loads it, in no place yet; null where the configuration or the kernel does not have it.
 * @param seed of the bucket hash, that of the workers
 */
export function openEarlyDrop(config: Config, seed: number, log: Logger): EarlyDrop | null {
  if (config.dataplane.earlyDrop === "none") return null;
  const { hash, buckets } = config.cluster;
  const { offload, markMask: mask } = config.dataplane;
  const markMask = offload === "new" ? mask : null;
  const settings = { mode: hash.mode, seed, buckets, sliced: slicedAddresses(config), markMask };
  const macs = [...new Set(clusterInterfaces(config).map(({ mac }) => mac))];
  try {
    for (const mac of macs) tryOut(settings, macBytes(mac));
    return new EarlyDrop(settings, macs);
  } catch (error) {
    if (!(error instanceof OpError)) throw error;
    log.warn(
      { err: error },
      "no early drop: foreign packets are refused after connection tracking",
    );
    return null;
  }
}

/** What `nat` translates to. */
function slicedAddresses(config: Config): SlicedAddress[] {
  const { buckets } = config.cluster;
  return config.nat.map(({ to, ports }) => {
    const { width } = new PortSlices(ports, buckets);
    return { address: addressBytes(to), first: ports[0], width };
  });
}

/** @throws OpError when the program and the workers' code do not agree */
function tryOut(settings: DropSettings, mac: Uint8Array): void {
  const program = loadClassifier("sw_trial", bucketProgram(settings, mac));
  const hash = new BucketHash(settings);
  const packet = newPacket();
  const result = new Int32Array(3);
  try {
    for (let index = 0; index < TRIAL_FRAMES; index++) {
      const frame = trialFrame(mac, index);
      dissect(frame, ETHERNET_BYTES, frame.length, packet);
      program.run(frame, 1, result);
      if (result[0] === hash.bucketOf(hash.hash(packet))) continue;
      throw new OpError("try the early drop", "", "this kernel computes other buckets");
    }
  } finally {
    program.close();
  }
}

/** A TCP SYN with addresses and ports that follow from `index`, IPv4 and IPv6 in turns. */
function trialFrame(mac: Uint8Array, index: number): Uint8Array {
  const isIpv4 = index % 2 === 0;
  const headerBytes = isIpv4 ? 20 : 40;
  const frame = Buffer.alloc(ETHERNET_BYTES + headerBytes + TCP_BYTES);
  for (let at = ETHERNET_BYTES; at < frame.length; at++) frame[at] = jhash1(at, index) & 0xff;
  frame.set(mac);
  frame.writeUInt16BE(isIpv4 ? 0x0800 : 0x86dd, 12);
  const ip = frame.subarray(ETHERNET_BYTES);
  const tcp = ip.subarray(headerBytes);
  if (isIpv4) {
    ip.set([0x45, 0, 0, headerBytes + TCP_BYTES, 0, 0, 0x40, 0, 64, 6, 0, 0, 10]);
    ip[16] = 10;
  } else {
    ip.set([0x60, 0, 0, 0, 0, TCP_BYTES, 6, 64, 0x20]);
    ip[24] = 0x20;
  }
  tcp.set([0x50, 0x02], 12);
  return frame;
}
