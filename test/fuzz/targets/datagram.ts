/**
 * Datagrams that are not what a node of the cluster sealed: broken, mixed, repeated, made up.
 *
 * Only what a peer has sealed, to the last bit, may be accepted, and that once. Everything else has
 * exactly one counter, and it is the one that a second reading of the header names.
 */
import { DATAGRAM_BYTES, KEYS_PER_SECOND_MAX } from "../../../src/cluster/limits.js";
import { newRefusalCounters, type Refusal } from "../../../src/cluster/refusal.js";
import { clusterIdOf } from "../../../src/cluster/transport/seal.js";
import { Transport } from "../../../src/cluster/transport/transport.js";
import { behaviour, check, newInput, type Target } from "../target.js";

const NAME = "edge";
const SECRETS = [3, 4].map((byte) => new Uint8Array(32).fill(byte)) as [Uint8Array, Uint8Array];
const SELF = { id: 9, incarnation: 0x99n, secret: 0 };
const PEERS = [
  { id: 1, incarnation: 0x1111111111111111n, secret: 0 },
  { id: 1, incarnation: 0x1111111111111112n, secret: 0 },
  // In the middle of an exchange of secrets.
  { id: 2, incarnation: 0x2222222222222222n, secret: 1 },
] as const;
const LINKS = 4;
const SEEDS_EACH = 6;
/** Longer than a datagram may be. */
const INPUT_BYTES = DATAGRAM_BYTES + 64;
/** Virtual milliseconds from one datagram to the next: some seconds see more than their ration. */
const STEP_MS = 5;
const REASONS = Object.keys(newRefusalCounters()) as Refusal[];
const CLUSTER = clusterIdOf(NAME);

export class DatagramTarget implements Target {
  readonly name = "datagram";
  readonly episode = 1024;
  readonly input = newInput(INPUT_BYTES);
  private readonly view = new DataView(this.input.buffer);
  private readonly genuine = sealedByPeers();
  private receiver = newTransport(SELF, newRefusalCounters());
  private refused = newRefusalCounters();
  private readonly taken = new Set<Uint8Array>();
  private now = 0;

  seeds(): Uint8Array[] {
    return [...this.genuine, sealedBy(SELF, 0, 40), new Uint8Array(), new Uint8Array(INPUT_BYTES)];
  }

  reset(): void {
    this.refused = newRefusalCounters();
    this.receiver = newTransport(SELF, this.refused);
    this.taken.clear();
    this.now = 0;
  }

  run(length: number): number {
    const bytes = this.input.subarray(0, length);
    const before = { ...this.refused };
    this.now += STEP_MS;
    const opened = this.receiver.open(bytes, this.now);
    const counted = REASONS.filter((name) => this.refused[name] !== before[name]);
    const total = counted.reduce((sum, name) => sum + this.refused[name] - before[name], 0);
    const original = this.genuine.find((each) => isSame(each, bytes));
    if (opened !== null) {
      check(original !== undefined, "a datagram was accepted that nobody has sealed");
      check(!this.taken.has(original as Uint8Array), "a datagram was accepted twice");
      check(counted.length === 0, `accepted, and counted as ${counted}`);
      this.taken.add(original as Uint8Array);
      return behaviour(1, opened.header.link, opened.header.sender, length >> 6);
    }
    check(total === 1, `refused, and counted ${total} times: ${counted}`);
    const reason = counted[0] as Refusal;
    check(this.allowed(length, original).includes(reason), `refused as ${reason}`);
    const link = length > 6 ? this.view.getUint8(6) : 0;
    return behaviour(2, REASONS.indexOf(reason), link, Math.clz32(length));
  }

  /** The counters that the datagram may raise, from the header as it is written down. */
  private allowed(length: number, original: Uint8Array | undefined): Refusal[] {
    const { view } = this;
    if (length < 44) return ["tooShort"];
    if (length > DATAGRAM_BYTES) return ["tooLong"];
    if (view.getUint32(0) !== 0x5357414c) return ["badMagic"];
    if (view.getUint8(4) !== 1) return ["badVersion"];
    if (view.getUint32(8) !== CLUSTER) return ["otherCluster"];
    const sender = view.getUint8(5);
    const incarnation = view.getBigUint64(12);
    if (sender === 0) return ["badSender"];
    if (view.getUint8(6) >= LINKS) return ["badLink"];
    if (sender === SELF.id && incarnation === SELF.incarnation) return ["ownEcho"];
    if (original !== undefined && this.taken.has(original)) return ["replayed"];
    const ration: Refusal[] = 1000 / STEP_MS > KEYS_PER_SECOND_MAX ? ["rateLimited"] : [];
    return original === undefined ? ["badAuth", ...ration] : ration;
  }
}

interface Sender {
  readonly id: number;
  readonly incarnation: bigint;
  readonly secret: number;
}

function newTransport(sender: Sender, refused: Record<Refusal, number>): Transport {
  const { id, incarnation } = sender;
  const [secret, otherSecret] = [SECRETS[sender.secret], SECRETS[1 - sender.secret]];
  const keys = { secret: secret as Uint8Array, otherSecret: otherSecret as Uint8Array };
  const settings = { id, name: NAME, ...keys, links: LINKS };
  const transport = new Transport({ ...settings, datagramBytesMax: DATAGRAM_BYTES }, refused);
  transport.restart(incarnation);
  return transport;
}

function sealedByPeers(): Uint8Array[] {
  return PEERS.flatMap((peer) => {
    const sender = newTransport(peer, newRefusalCounters());
    return Array.from({ length: SEEDS_EACH }, (_, index) => {
      const body = new Uint8Array(12 + index * index * 30).fill(peer.id);
      return sender.seal(index % LINKS, body);
    });
  });
}

function sealedBy(sender: Sender, link: number, bytes: number): Uint8Array {
  return newTransport(sender, newRefusalCounters()).seal(link, new Uint8Array(bytes));
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
