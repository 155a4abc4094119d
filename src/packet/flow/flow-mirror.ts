/**
 * The mirror as a worker uses it: dissected packets in, buckets out, nothing allocated.
 *
 * A batch goes through it in three steps, since a look-up waits for memory and does little else:
 * `ask` for each packet, `fetch` once, then `find` and `remember` in the order of the packets.
 */
import { BATCH_MAX } from "../../platform/native.js";
import { FLOW_KEY, type Mirror } from "../../state/mirror.js";
import { Kind } from "../dissect/packet.js";
import { flowKey } from "./key.js";

export class FlowMirror {
  /** By the packet's index in its batch. */
  private readonly keys = Array.from({ length: BATCH_MAX }, () => new Int32Array(FLOW_KEY.WORDS));
  private readonly hashes = new Int32Array(BATCH_MAX);
  /** Hashes of the packets that were asked for, one after the other. */
  private readonly asked = new Int32Array(BATCH_MAX);
  private count = 0;
  private nowMs = 0;
  private touched = 0;

  /** @param seed of the table's hash: secret, or a chain could be filled on purpose */
  constructor(
    private readonly mirror: Mirror,
    private readonly seed: number,
  ) {}

  /** Flows still in use that had to make room. */
  get evicted(): number {
    return this.mirror.evicted;
  }

  /** Begins a batch; its packets are seen at `nowMs`. */
  begin(nowMs: number): void {
    this.nowMs = nowMs;
    this.count = 0;
  }

  /** Packet `i` of the batch will be looked up. */
  ask(i: number, packet: Int32Array): void {
    const hash = flowKey(packet, this.keys[i] as Int32Array, this.seed);
    this.hashes[i] = hash;
    this.asked[this.count++] = hash;
  }

  /** Has the memory fetch what the look-ups of this batch will read. */
  fetch(): void {
    this.touched ^= this.mirror.touch(this.asked, this.count);
  }

  /** The bucket of the flow of packet `i`, which was asked for, or `NO_BUCKET`. */
  find(i: number): number {
    return this.mirror.find(this.keys[i] as Int32Array, this.hashes[i] as number, this.nowMs);
  }

  /** Remembers who opened the flow of packet `i`, which was asked for: another node handles it. */
  remember(i: number, kind: number, bucket: number): void {
    if (kind !== Kind.OPENS) return;
    this.mirror.remember(this.keys[i] as Int32Array, this.hashes[i] as number, bucket, this.nowMs);
  }
}
