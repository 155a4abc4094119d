/**
 * What a member says that has gone mad, or whose key was stolen: bodies are broken first and sealed
 * afterwards, so they reach everything behind the seal.
 *
 * A node may be talked into a wrong view by its own kind, but never into a crash, an answer longer
 * than a datagram, a bucket that there is not, or a datagram without exactly one fate.
 *
 *     input   0 options: 1 the tick is a new one, 2 a tick of the node follows
 *             1.. the body
 */
import { encodeData } from "../../../src/cluster/frame/data.js";
import {
  encodeHeartbeat,
  isHeartbeat,
  readHeartbeat,
} from "../../../src/cluster/frame/heartbeat.js";
import { KIND } from "../../../src/cluster/frame/kind.js";
import { encodeLeave } from "../../../src/cluster/frame/leave.js";
import { BODY_BYTES, DATAGRAM_BYTES } from "../../../src/cluster/limits.js";
import { ClusterNode } from "../../../src/cluster/node.js";
import type { Output } from "../../../src/cluster/output.js";
import { countBuckets } from "../../../src/cluster/ranges/bitmap.js";
import { newRefusalCounters, type Refusal } from "../../../src/cluster/refusal.js";
import { clusterSettings } from "../../../src/cluster/settings.js";
import { Transport } from "../../../src/cluster/transport/transport.js";
import { behaviour, check, newInput, type Target } from "../target.js";

const COMMON = { name: "edge", secret: new Uint8Array(32).fill(5), buckets: 64, configDigest: 7n };
const TICK_MS = 10;
/** Long enough for two nodes to settle. */
const SETTLE_MS = 600;
const KIND_AT = 1;
const TICK_AT = 5;
const OUTPUTS_MAX = 32;
const OPTION = { NEW_TICK: 1, TICK: 2 } as const;
const REASONS = Object.keys(newRefusalCounters()) as Refusal[];

export class MemberTarget implements Target {
  readonly name = "member";
  readonly episode = 1024;
  readonly input = newInput(1 + BODY_BYTES);
  private readonly view = new DataView(this.input.buffer);
  private pair = new Pair();
  private tick = 0;

  seeds(): Uint8Array[] {
    const said = new Pair().saidByPeer();
    const { self } = new Pair();
    const beat = readHeartbeat(said.at(-1) as Uint8Array);
    const { incarnation } = self.snapshot(0);
    const bodies = [
      ...said.slice(-4),
      encodeHeartbeat({
        ...beat,
        runs: [
          [0, 3],
          [5, 9],
          [60, 63],
        ],
      }),
      encodeHeartbeat({ ...beat, state: "draining", runs: [], configDigest: 8n }),
      encodeHeartbeat({
        ...beat,
        echoes: [{ node: 1, incarnation: BigInt(incarnation), challenge: 1n, links: 1 }],
      }),
      encodeLeave(100),
      encodeData(1, Uint8Array.of(1, 2, 3)),
      Uint8Array.of(99, 0, 0, 0),
      Uint8Array.of(),
    ];
    return bodies.map((body) => Uint8Array.from([OPTION.NEW_TICK, ...body]));
  }

  reset(): void {
    this.pair = new Pair();
    this.tick = this.pair.peerTick;
  }

  run(length: number): number {
    const { input, pair } = this;
    const options = length > 0 ? (input[0] as number) : 0;
    const body = input.slice(KIND_AT, Math.max(KIND_AT, length));
    const isBeatOrLeave = body[0] === 1 || body[0] === 2;
    if ((options & OPTION.NEW_TICK) !== 0 && isBeatOrLeave && length >= TICK_AT + 8) {
      this.tick += 1;
      new DataView(body.buffer).setBigUint64(TICK_AT - KIND_AT, BigInt(this.tick));
    }
    const before = { ...pair.self.refused };
    const outputs = pair.hear(body);
    if ((options & OPTION.TICK) !== 0) outputs.push(...pair.onTick());
    judgeOutputs(outputs);
    const counted = REASONS.filter((name) => pair.self.refused[name] !== before[name]);
    const total = counted.reduce((sum, name) => sum + pair.self.refused[name] - before[name], 0);
    check(total <= 1, `counted ${total} times: ${counted}`);
    judgeBody(body, counted);
    const reason = counted[0] === undefined ? 0 : 1 + REASONS.indexOf(counted[0]);
    const kinds = new Set(outputs.map(({ kind }) => kind.length)).size;
    return behaviour(
      body[0] ?? 0,
      reason,
      kinds,
      Math.clz32(body.length),
      this.view.getUint8(2) & 7,
    );
  }
}

/** What is a heartbeat must be one that a node could have written. */
function judgeBody(body: Uint8Array, counted: readonly Refusal[]): void {
  const kind = body[0] ?? 0;
  if (kind === 0 || kind > KIND.ack)
    check(counted[0] === "unknownKind", `kind ${kind}: ${counted}`);
  if (kind !== 1) return;
  if (!isHeartbeat(body)) {
    check(counted[0] === "malformed", `a broken heartbeat: ${counted}`);
    return;
  }
  const again = encodeHeartbeat(readHeartbeat(body));
  const same =
    again.length === body.length &&
    again.every((byte, at) => byte === body[at] || at === 2 || at === 3);
  check(same, "a heartbeat was read otherwise than it is written");
}

function judgeOutputs(outputs: readonly Output[]): void {
  check(outputs.length <= OUTPUTS_MAX, `${outputs.length} outputs`);
  for (const output of outputs) {
    if (output.kind === "send") check(output.bytes.length <= DATAGRAM_BYTES, "a long datagram");
    if (output.kind === "fatal") check(false, `fatal: ${output.message}`);
    if (output.kind !== "lease") continue;
    check(output.owned.length === COMMON.buckets / 32, "a lease of another size");
    check(countBuckets(output.owned) <= COMMON.buckets, "a lease of more buckets than there are");
  }
}

/** Node 1, which is attacked, and node 2, in whose name. */
class Pair {
  readonly self = newNode(1);
  readonly peer = newNode(2);
  peerTick = 0;
  private now = 0;
  private readonly heard: Uint8Array[] = [];
  private readonly ear = listener();

  constructor() {
    while (this.now < SETTLE_MS) {
      this.now += TICK_MS;
      const fromSelf = this.self.onTick(this.now);
      for (const bytes of datagramsOf(fromSelf)) this.peer.onDatagram(this.now, 0, bytes);
      for (const bytes of datagramsOf(this.peer.onTick(this.now))) {
        this.self.onDatagram(this.now, 0, bytes);
        const opened = this.ear.open(bytes, this.now);
        if (opened !== null && isHeartbeat(opened.body)) {
          this.heard.push(Uint8Array.from(opened.body));
          this.peerTick = readHeartbeat(opened.body).tick;
        }
      }
    }
  }

  /** Heartbeats of the peer, in clear. */
  saidByPeer(): Uint8Array[] {
    return this.heard;
  }

  /** Node 1 hears `body` as said by node 2. */
  hear(body: Uint8Array): Output[] {
    const sealed = datagramsOf(this.peer.sendBody(body));
    check(sealed.length === 1, "the peer is silent");
    return this.self.onDatagram(this.now, 0, sealed[0] as Uint8Array);
  }

  onTick(): Output[] {
    this.now += TICK_MS;
    return this.self.onTick(this.now);
  }
}

function newNode(id: number): ClusterNode {
  let drawn = BigInt(id) << 32n;
  const random = () => {
    drawn += 1n;
    return drawn;
  };
  return new ClusterNode(clusterSettings({ id, ...COMMON }), { random }, 0);
}

function listener(): Transport {
  const settings = {
    ...COMMON,
    otherSecret: null,
    id: 3,
    links: 1,
    datagramBytesMax: DATAGRAM_BYTES,
  };
  return new Transport(settings, newRefusalCounters());
}

function datagramsOf(outputs: readonly Output[]): Uint8Array[] {
  return outputs.flatMap((output) => (output.kind === "send" ? [output.bytes] : []));
}
