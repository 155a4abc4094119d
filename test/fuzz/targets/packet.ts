/**
 * The whole packet loop, fed with broken packets.
 *
 * Each packet is judged twice in one batch, with zeros and with ones behind its end, and must give
 * what a second reading of the same bytes gives ({@link PacketOracle}): so nothing beyond the end
 * was read, nothing malformed or cut was accepted, and each has the one reason that it should.
 *
 *     input   0 options: 1 lease, 2 pickup, 4 owns odd buckets only; 8.. hash mode
 *             1 mark: 0 none, 255 unknown, else bucket + 1
 *             2.. the packet
 */
import type { HashMode } from "../../../src/config/types.js";
import { Batch } from "../../../src/packet/batch.js";
import type { Capture } from "../../../src/packet/capture/capture.js";
import { newPacket } from "../../../src/packet/dissect/packet.js";
import { BucketHash } from "../../../src/packet/flow/bucket.js";
import { FlowMirror } from "../../../src/packet/flow/flow-mirror.js";
import { TranslatedPorts } from "../../../src/packet/flow/translated-ports.js";
import { Worker } from "../../../src/packet/worker.js";
import { bootMs } from "../../../src/platform/clock.js";
import { DESCRIPTOR } from "../../../src/platform/native.js";
import { EXTRA } from "../../../src/state/counters.js";
import { allocateShared, SharedState } from "../../../src/state/layout.js";
import { revokeLease, writeLease } from "../../../src/state/lease-word.js";
import { MarkField } from "../../../src/state/mark-field.js";
import { Mirror, mirrorBytes, WAYS } from "../../../src/state/mirror.js";
import { REASON_COUNT, Reason } from "../../../src/state/reason.js";
import { setTuple } from "../../fixture/tuples.js";
import { packets } from "../corpus.js";
import { behaviour, check, type Target } from "../target.js";
import { PacketOracle } from "./packet-oracle.js";

const PACKET_AT = 2;
const PACKET_BYTES_MAX = 256;
/** More than any header that could be read beyond the end. */
const SURROUNDINGS = 64;
const BUCKETS = 128;
const MASK = 0xff;
const UNKNOWN = 0xff;
const SEED = 0x5eed;
const MODES: readonly HashMode[] = ["tuple", "source", "xt-cluster"];
const OPTION = { LEASE: 1, PICKUP: 2, ODD: 4 } as const;
/** 192.0.2.1 with four ports a bucket. */
const TRANSLATED = { address: "192.0.2.1", ports: [1024, 1024 + 4 * BUCKETS - 1] } as const;
const TRANSLATED_WORD = 0xc0000201 | 0;
const UDP = [17, 136];
const COUNTED_EACH = 4096;
const QUOTES = 3;
const OPENS = 1;

/** A capture that plays two copies of a packet. */
class Twice implements Capture {
  readonly losses = { overruns: 0, verdictErrors: 0, unreadable: 0 };
  length = 0;
  mark = 0;

  receive(batch: Batch): void {
    batch.count = 2;
    this.describe(batch, 0, PACKET_AT);
    this.describe(batch, 1, batch.slotBytes);
  }

  settle(): void {}
  close(): void {}

  private describe(batch: Batch, index: number, at: number): void {
    const word = index * DESCRIPTOR.STRIDE;
    batch.descriptors[word + DESCRIPTOR.MARK] = this.mark;
    batch.descriptors[word + DESCRIPTOR.OFFSET] = at;
    batch.descriptors[word + DESCRIPTOR.CAPTURED] = this.length;
  }
}

export class PacketTarget implements Target {
  readonly name = "packet";
  readonly episode = 1;
  readonly input: Uint8Array;
  private readonly batch = new Batch(PACKET_BYTES_MAX);
  private readonly capture = new Twice();
  private readonly state = new SharedState(allocateShared(BUCKETS, 1));
  private readonly mirrorWords: Int32Array;
  private readonly hashes: readonly BucketHash[];
  /** By mode, then by pickup. */
  private readonly workers: readonly Worker[];
  private readonly oracle: PacketOracle;
  private readonly tuple = newPacket();
  private readonly src = { address: new Int32Array(4), port: 0 };
  private readonly dst = { address: new Int32Array(4), port: 0 };
  private tried = 0;
  private leased = false;

  constructor() {
    const { batch, capture, state } = this;
    this.input = batch.bytes.subarray(0, PACKET_AT + PACKET_BYTES_MAX);
    this.oracle = new PacketOracle(new DataView(batch.bytes.buffer));
    const buffer = new SharedArrayBuffer(mirrorBytes(1, WAYS));
    this.mirrorWords = new Int32Array(buffer);
    const mirror = new Mirror({ buffer, at: 0, shards: 1, flows: WAYS, own: 0, idleMs: 60_000 });
    this.hashes = MODES.map((mode) => new BucketHash({ mode, seed: SEED, buckets: BUCKETS }));
    this.workers = this.hashes.flatMap((hash) =>
      [false, true].map((pickup) => {
        const flows = hash.symmetric ? null : new FlowMirror(mirror, SEED);
        const mark = new MarkField(MASK);
        const translated = new TranslatedPorts([TRANSLATED], BUCKETS);
        const parts = { index: 0, state, capture, batch, hash, mark, pickup, translated };
        return new Worker({ ...parts, mirror: flows });
      }),
    );
  }

  seeds(): Uint8Array[] {
    return packets().map((bytes, index) => {
      const options = OPTION.LEASE | (index & 6) | ((index % 3) << 3);
      return Uint8Array.from([options, UNKNOWN, ...bytes]);
    });
  }

  reset(): void {}

  run(length: number): number {
    const { batch, capture, oracle } = this;
    const options = length > 0 ? (batch.bytes[0] as number) : 0;
    const mode = (options >>> 3) % MODES.length;
    const size = Math.max(0, length - PACKET_AT);
    capture.length = size;
    capture.mark = length > 1 ? (batch.bytes[1] as number) : 0;
    this.set(options);
    this.surround(size);
    (this.workers[mode * 2 + ((options & OPTION.PICKUP) >>> 1)] as Worker).breathe();
    const status = oracle.read(PACKET_AT, PACKET_AT + size);
    const first = this.expected(status, mode, options);
    this.judge(0, first);
    this.judge(1, this.expectedAgain(first, mode));
    if (++this.tried % COUNTED_EACH === 0) this.checkCounters();
    const { kind, protocol, family } = oracle;
    return behaviour(first, status, kind, family, status === 0 ? protocol : size & 63, mode);
  }

  private set(options: number): void {
    const { state } = this;
    this.mirrorWords.fill(0);
    state.owned.fill((options & OPTION.ODD) !== 0 ? 0xaaaaaaaa | 0 : -1);
    const leased = (options & OPTION.LEASE) !== 0;
    if (leased === this.leased && this.tried % COUNTED_EACH !== 0) return;
    this.leased = leased;
    if (leased) writeLease(state.words, state.leaseAt, bootMs() + 3_600_000);
    else revokeLease(state.words, state.leaseAt);
  }

  /** The second copy, and what lies behind the two. */
  private surround(size: number): void {
    const { bytes, slotBytes } = this.batch;
    bytes.copyWithin(slotBytes, PACKET_AT, PACKET_AT + size);
    bytes.fill(0, PACKET_AT + size, PACKET_AT + size + SURROUNDINGS);
    bytes.fill(0xff, slotBytes + size, slotBytes + size + SURROUNDINGS);
  }

  /** The reason that the first copy must get: the rules of decide() said in another order. */
  private expected(status: number, mode: number, options: number): number {
    const { mark } = this.capture;
    if ((options & OPTION.LEASE) === 0) return Reason.LEASE_EXPIRED;
    if (mark === 0) return Reason.NOT_CLUSTER;
    if (status !== 0) return status;
    if (mark !== UNKNOWN) {
      return this.isOwned(mark - 1, options) ? Reason.OWN_FLOW : Reason.FOREIGN_FLOW;
    }
    const slice = this.slice();
    if (slice < 0 && mode !== 0 && this.oracle.kind === QUOTES) return Reason.NO_STATE;
    if (!this.isOwned(slice < 0 ? this.bucket(mode) : slice, options)) return Reason.FOREIGN_NEW;
    if (this.oracle.kind === OPENS) return Reason.OWN_NEW;
    return (options & OPTION.PICKUP) !== 0 ? Reason.OWN_PICKUP : Reason.NO_STATE;
  }

  /** Where the opener alone is hashed, the first copy of a foreign flow is remembered. */
  private expectedAgain(first: number, mode: number): number {
    const isRemembered = first === Reason.FOREIGN_NEW && mode !== 0 && this.oracle.kind === OPENS;
    return isRemembered ? Reason.FOREIGN_FLOW : first;
  }

  /** The bucket that a translated port names, or -1: of replies, UDP, and quotes of what left. */
  private slice(): number {
    const { kind, protocol, family, view, srcAt, dstAt, srcPort, dstPort } = this.oracle;
    if (family !== 4 || (kind === OPENS && !UDP.includes(protocol))) return -1;
    const address = view.getInt32(kind === QUOTES ? srcAt : dstAt);
    const port = kind === QUOTES ? srcPort : dstPort;
    const [first, last] = TRANSLATED.ports;
    if (address !== TRANSLATED_WORD || port < first || port > last) return -1;
    return (port - first) >>> 2;
  }

  /** A mark may name a bucket that there is not: nobody here owns it. */
  private isOwned(bucket: number, options: number): boolean {
    if (bucket >= BUCKETS) return false;
    return (options & OPTION.ODD) === 0 || bucket % 2 === 1;
  }

  /** The bucket of the tuple that the oracle read. */
  private bucket(mode: number): number {
    const { oracle, tuple, src, dst } = this;
    const { view, family, protocol } = oracle;
    for (let word = 0; word < src.address.length; word++) {
      const isThere = word === 0 || family === 6;
      src.address[word] = isThere ? view.getInt32(oracle.srcAt + 4 * word) : 0;
      dst.address[word] = isThere ? view.getInt32(oracle.dstAt + 4 * word) : 0;
    }
    src.port = oracle.srcPort;
    dst.port = oracle.dstPort;
    setTuple(tuple, family, protocol, src, dst);
    const hash = this.hashes[mode] as BucketHash;
    return hash.bucketOf(hash.hash(tuple));
  }

  private judge(copy: number, expected: number): void {
    const reason = this.batch.reasons[copy] as number;
    if (reason !== expected) check(false, `copy ${copy}: reason ${reason}, not ${expected}`);
    const accepted = reason < Reason.FOREIGN_FLOW ? 1 : 0;
    if (this.batch.verdicts[copy] !== accepted) check(false, `copy ${copy}: wrong verdict`);
  }

  private checkCounters(): void {
    const counters = this.state.counters(0).read();
    const sum = counters.subarray(0, REASON_COUNT).reduce((total, count) => total + count, 0);
    check(sum === counters[EXTRA.SEEN], `${sum} reasons for ${counters[EXTRA.SEEN]} packets`);
    check(counters[EXTRA.UNLEASED] === 0, "accepted without a lease, says the worker itself");
    check(sum === 2 * this.tried, `${sum} packets counted, ${2 * this.tried} were played`);
  }
}
