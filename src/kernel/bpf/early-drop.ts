/**
 * The early drop of a node: its maps, a program for each cluster MAC, and their places at the
 * ingress of the interfaces. See program.ts for what it does, passing.ts for who changes the set.
 *
 * The place is a link (tcx) where the kernel has that: it ends with the process, and a node without
 * early drop is only slower. Else it is a filter (tc.ts).
 */
import { readFileSync } from "node:fs";
import { type BpfMap, type BpfProgram, native } from "../../platform/native.js";
import { errnoName, OpError, operation } from "../../platform/op-error.js";
import type { DropSettings } from "./bucket.js";
import { loadClassifier, MAP } from "./load.js";
import { type PassingMap, PassingSet, passingBytes } from "./passing.js";
import { dropProgram } from "./program.js";
import { TcFilter } from "./tc.js";

const TCX_INGRESS = 46; // enum bpf_attach_type
const KEY = new Uint8Array(4);
const COUNTER_BYTES = 8;
const PROCESSORS = "/sys/devices/system/cpu/possible";

/** An interface and the MAC address whose frames are judged on it. */
export interface DropPlace {
  readonly ifindex: number;
  /** six bytes in lower-case hex with colons */
  readonly mac: string;
}

export class EarlyDrop {
  readonly passing: PassingMap;
  private readonly buckets: BpfMap;
  private readonly drops: BpfMap;
  private readonly programs = new Map<string, BpfProgram>();
  private readonly places: { close(): void }[] = [];
  private readonly counters = new BigUint64Array(processors());
  private readonly set: PassingSet;

  /**
   * Nothing is refused yet: the set is inactive.
   * @param place puts a program at the ingress of an interface
   * @throws OpError, EPERM where programs may not be loaded
   */
  constructor(
    settings: DropSettings,
    macs: readonly string[],
    private readonly place = linkOrFilter,
  ) {
    const bytes = passingBytes(settings.buckets);
    const make = (kind: number, valueBytes: number, name: string) =>
      operation(`make the map ${name}`, "needs CAP_BPF", () => {
        return new native.BpfMap(kind, KEY.length, valueBytes, 1, name);
      });
    this.buckets = make(MAP.ARRAY, bytes, "sw_buckets");
    this.drops = make(MAP.PERCPU_ARRAY, COUNTER_BYTES, "sw_dropped");
    this.passing = { fd: this.buckets.fd, buckets: settings.buckets };
    this.set = new PassingSet(this.passing);
    const maps = { buckets: this.buckets.fd, dropped: this.drops.fd };
    for (const mac of macs) {
      const instructions = dropProgram(settings, macBytes(mac), maps);
      this.programs.set(mac, loadClassifier("sw_early_drop", instructions));
    }
  }

  /** Puts the programs into their places, anew if they were there. @throws OpError */
  attach(places: readonly DropPlace[]): void {
    this.detach();
    for (const { ifindex, mac } of places) {
      this.places.push(this.place(ifindex, (this.programs.get(mac) as BpfProgram).fd));
    }
  }

  /** Takes them out of their places. */
  detach(): void {
    for (const each of this.places.splice(0)) each.close();
  }

  /** Packets refused so far. */
  get dropped(): number {
    const { buffer, byteLength } = this.counters;
    this.drops.lookup(KEY, new Uint8Array(buffer, 0, byteLength));
    return Number(this.counters.reduce((sum, count) => sum + count, 0n));
  }

  /** Whether anything is refused at the moment. */
  get isActive(): boolean {
    return this.places.length > 0 && this.set.readActive();
  }

  close(): void {
    this.detach();
    for (const each of [this.set, this.buckets, this.drops, ...this.programs.values()]) {
      each.close();
    }
  }
}

export function macBytes(mac: string): Uint8Array {
  return Buffer.from(mac.replaceAll(":", ""), "hex");
}

/** A link, or a filter where the kernel has none. @throws OpError */
function linkOrFilter(ifindex: number, programFd: number): { close(): void } {
  try {
    return new native.BpfLink(programFd, ifindex, TCX_INGRESS);
  } catch (cause) {
    const code = errnoName(cause);
    if (code === "EPERM") throw new OpError("attach the early drop", code, "needs CAP_NET_ADMIN");
    return new TcFilter(ifindex, programFd, "shardwall");
  }
}

/** Processors this machine may ever have: the kernel counts for each. `0-3`, `0,2-5`. */
function processors(): number {
  const last = readFileSync(PROCESSORS, "utf8").trim().split(/[-,]/).at(-1);
  return Number(last) + 1;
}
