/** The mirror as a worker uses it: dissected packets in, buckets out, nothing allocated. */
import { FLOW_KEY, type Mirror } from "../../state/mirror.js";
import { OPENS } from "../dissect/packet.js";
import { flowKey, hashOfKey } from "./key.js";

export class FlowMirror {
  private readonly key = new Int32Array(FLOW_KEY.WORDS);
  private nowMs = 0;

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
  }

  /** The bucket of the packet's flow, or `NO_BUCKET`. */
  find(packet: Int32Array): number {
    return this.mirror.find(this.key, this.hashOf(packet), this.nowMs);
  }

  /** Remembers who opened a flow that another node handles. */
  remember(packet: Int32Array, kind: number, bucket: number): void {
    if (kind !== OPENS) return;
    this.mirror.remember(this.key, this.hashOf(packet), bucket, this.nowMs);
  }

  private hashOf(packet: Int32Array): number {
    flowKey(packet, this.key);
    return hashOfKey(this.key, this.seed);
  }
}
