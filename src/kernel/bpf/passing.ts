/**
 * The set of buckets that the program lets pass, as the thread that owns the lease changes it.
 *
 *     claim     pass: old and new -> lease: new -> pass: new
 *     release                        lease: new -> pass: new
 *
 * So what is leased always passes; what passes beyond it is dropped behind, as without the program.
 * One update writes the whole set. Packets meanwhile may see some words old and some new: each
 * bucket is then as it was or as it will be, and no decision looks at more than one.
 */
import { native } from "../../platform/native.js";
import { SET_HEAD_BYTES } from "./program.js";

const KEY = new Uint8Array(4);

/** What another thread needs to change the set. */
export interface PassingMap {
  readonly fd: number;
  readonly buckets: number;
}

/** Bytes of the map's one value. */
export function passingBytes(buckets: number): number {
  return SET_HEAD_BYTES + Math.ceil(buckets / 32) * 4;
}

export class PassingSet {
  private readonly map;
  private readonly value: Int32Array;
  /** The bits within `value`. */
  private readonly bits: Int32Array;

  /** @throws an errno error when `fd` is no longer open */
  constructor({ fd, buckets }: PassingMap) {
    const bytes = passingBytes(buckets);
    this.map = new native.BpfMapView(fd);
    this.value = new Int32Array(bytes / 4);
    this.bits = this.value.subarray(SET_HEAD_BYTES / 4);
  }

  /** Begins or ends to refuse anything at all. */
  setActive(isActive: boolean): void {
    if ((this.value[0] === 1) === isActive) return;
    this.value[0] = isActive ? 1 : 0;
    this.write();
  }

  /** What the kernel has, which another thread may have changed. */
  readActive(): boolean {
    const now = new Int32Array(this.value.length);
    this.map.lookup(KEY, new Uint8Array(now.buffer));
    return now[0] === 1;
  }

  /** Lets `buckets` (a bitmap) pass too. */
  widen(buckets: ArrayLike<number>): void {
    if (this.bits.every((word, at) => (word | (buckets[at] as number)) === word)) return;
    this.bits.forEach((word, at) => {
      this.bits[at] = word | (buckets[at] as number);
    });
    this.write();
  }

  /** Lets `buckets` pass and no others; null: none. */
  narrow(buckets: ArrayLike<number> | null): void {
    const wanted = (at: number) => (buckets === null ? 0 : (buckets[at] as number) | 0);
    if (this.bits.every((word, at) => word === wanted(at))) return;
    this.bits.forEach((_, at) => {
      this.bits[at] = wanted(at);
    });
    this.write();
  }

  close(): void {
    this.map.close();
  }

  private write(): void {
    const { buffer, byteLength } = this.value;
    this.map.update(KEY, new Uint8Array(buffer, 0, byteLength));
  }
}
