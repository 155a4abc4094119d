/**
 * A node of the measurement: production's reliable broadcast and a message every 100 ms, as the
 * "test plugin" of the original. It counts what it sends, each message once however many hear it.
 */
import { Broadcast } from "../../dist/cluster/broadcast/broadcast.js";
import { KIND } from "../../dist/cluster/frame/kind.js";
import { SEND_BUFFER_FRAMES } from "../../dist/cluster/limits.js";

export const NODES = 3;
export const TICK_MS = 10;
export const BEAT_MS = 50;
export const MESSAGE_MS = 100;

const newCounts = () => ({ payload: 0, nak: 0, resync: 0, repairs: 0, delivered: 0 });

export class LossNode {
  counts = newCounts();
  /** Milliseconds from sending to delivery, the longest. */
  delayMsMax = 0;
  /** When the next message is due, in milliseconds. */
  nextMs = Number.POSITIVE_INFINITY;

  /** @param send called with each body, to go to all the others */
  constructor(id, send, random32) {
    this.member = { node: id, incarnation: BigInt(id) };
    this.send = send;
    const settings = { frames: SEND_BUFFER_FRAMES, random32 };
    this.broadcast = new Broadcast(settings, (body) => this.onSend(body), this);
    this.broadcast.restart(this.member);
  }

  /** Number of the newest frame, as a heartbeat tells it. */
  get sent() {
    return (this.broadcast.buffer.next - 1) >>> 0;
  }

  get isFollowingAll() {
    const peers = this.broadcast.peers();
    return peers.length === NODES - 1 && peers.every(({ stream }) => stream.isFollowing);
  }

  /** Frames of the others known to be missing here. */
  get lag() {
    return this.broadcast.peers().reduce((sum, { stream }) => sum + stream.lag, 0);
  }

  startCounting() {
    this.counts = newCounts();
    this.delayMsMax = 0;
  }

  publish(now) {
    const payload = new Uint8Array(16);
    new DataView(payload.buffer).setFloat64(0, now);
    this.counts.payload += 1;
    this.broadcast.publish(payload, now);
  }

  tick(now) {
    this.counts.repairs += this.broadcast.onTick(now);
    if (!this.broadcast.starts.isWanted) return;
    this.broadcast.begin();
    // There is no table here; one frame stands for it.
    this.counts.resync += 1;
    this.broadcast.publish(new Uint8Array(16).fill(0xff), now);
  }

  onSend(body) {
    if (body[0] === KIND.nak) this.counts.nak += 1;
    if (body[0] === KIND.resync || body[0] === KIND.start) this.counts.resync += 1;
    this.send(body);
  }

  deliver(_peer, payload, now) {
    if (payload[0] === 0xff) return;
    const sentMs = new DataView(payload.buffer, payload.byteOffset).getFloat64(0);
    this.delayMsMax = Math.max(this.delayMsMax, now - sentMs);
    this.counts.delivered += 1;
  }

  onStart() {}

  onOutOfSync() {}
}

/**
 * What a run of all nodes comes to. Overhead is (NAK + resync) / (NAK + resync + payload), where
 * resync is RESYNC, START and tables; with repairs: with repeated payload among the overhead.
 */
export function outcomeOf(nodes) {
  const total = newCounts();
  for (const { counts } of nodes) for (const key of Object.keys(total)) total[key] += counts[key];
  const { payload, nak, resync, repairs, delivered } = total;
  const extra = nak + resync;
  return {
    ...total,
    overhead: extra / (extra + payload),
    overheadWithRepairs: (extra + repairs) / (extra + repairs + payload),
    missing: payload * (NODES - 1) - delivered,
    delayMsMax: Math.max(...nodes.map(({ delayMsMax }) => delayMsMax)),
  };
}
