/** Nodes with nothing but reliable broadcast, and a bad network between them, on virtual time. */
import { Broadcast, type Follower, type Upper } from "../../../src/cluster/broadcast/broadcast.js";
import { seeded } from "../machine.js";

export const FRAMES = 64;
const TICK_MS = 10;
export const BEAT_MS = 50;
const PAYLOAD_BYTES = 8;

/**
 * A node whose table is the sum of what it has published: enough to tell a right start from a
 * wrong.
 */
export class Node implements Upper {
  incarnation = 0n;
  readonly broadcast: Broadcast;
  readonly member: { node: number; incarnation: bigint };
  /** Of each sender: what was delivered since its last start, and how often it had to start. */
  readonly heard = new Map<number, { values: number[]; starts: number; incarnation: bigint }>();
  published = 0;
  sent = 0;
  outbox: Uint8Array[] = [];

  constructor(id: number, incarnation: bigint, first: number) {
    this.member = { node: id, incarnation };
    const settings = { frames: FRAMES, random32: () => first };
    this.broadcast = new Broadcast(settings, (body) => this.outbox.push(body), this);
    this.broadcast.restart(this.member);
  }

  /** Publishes the next value; `isTable` says that it stands for all before it. */
  publish(now: number, isTable = false): void {
    if (!isTable) this.published += 1;
    const payload = new Uint8Array(PAYLOAD_BYTES);
    const view = new DataView(payload.buffer);
    view.setUint32(0, this.published);
    view.setUint8(4, isTable ? 1 : 0);
    this.broadcast.publish(payload, now);
    this.sent = (this.broadcast.buffer.next - 1) >>> 0;
  }

  tick(now: number): void {
    this.broadcast.onTick(now);
    if (!this.broadcast.starts.isWanted) return;
    this.broadcast.begin();
    this.publish(now, true);
  }

  deliver(peer: Follower, payload: Uint8Array): void {
    const view = new DataView(payload.buffer, payload.byteOffset);
    const heard = this.heard.get(peer.node);
    if (!heard || heard.incarnation !== peer.incarnation) throw new Error("before its start");
    const value = view.getUint32(0);
    const last = heard.values.at(-1);
    if (view.getUint8(4) === 1) {
      if (last === undefined) heard.values.push(value);
      else if (last !== value) throw new Error(`table ${value} after ${last}`);
    } else {
      if (last === undefined || value !== last + 1) throw new Error(`${value} after ${last}`);
      heard.values.push(value);
    }
  }

  onStart(peer: Follower): void {
    const starts = (this.heard.get(peer.node)?.starts ?? 0) + 1;
    this.heard.set(peer.node, { values: [], starts, incarnation: peer.incarnation });
  }

  onOutOfSync(): void {}

  last(sender: number): number {
    return this.heard.get(sender)?.values.at(-1) ?? 0;
  }

  starts(sender: number): number {
    return this.heard.get(sender)?.starts ?? 0;
  }
}

export class Net {
  now = 0;
  nodes: Node[] = [];
  readonly random: () => number;
  readonly kinds: number[] = [];
  loss = 0;
  duplication = 0;
  delayMs = 2;
  passes: (from: Node, to: Node, body: Uint8Array | null) => boolean = () => true;
  private incarnations = 0n;
  private readonly agenda = new Map<number, (() => void)[]>();

  constructor(seed: number, count: number, first = 2 ** 32 - 30) {
    this.random = seeded(seed);
    for (let id = 1; id <= count; id++) this.add(id, first);
  }

  add(id: number, first = 5): Node {
    this.incarnations += 1n;
    const node = new Node(id, this.incarnations, first);
    const old = this.nodes.find(({ member }) => member.node === id);
    this.nodes = [...this.nodes.filter((other) => other !== old), node];
    for (const other of this.nodes) {
      if (other === node) continue;
      if (old) other.broadcast.peerDown(old.member);
      other.broadcast.peerUp(node.member, this.now);
      node.broadcast.peerUp(other.member, this.now);
    }
    return node;
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 1;
      for (const what of this.agenda.get(this.now) ?? []) what();
      this.agenda.delete(this.now);
      for (const node of this.nodes) {
        if (this.now % TICK_MS === 0) node.tick(this.now);
        if (this.now % BEAT_MS === 0 && node.sent !== 0) this.beat(node);
        for (const body of node.outbox.splice(0)) this.spread(node, body);
      }
    }
  }

  private beat(from: Node): void {
    const { sent, member } = from;
    this.carry(from, null, (to) => to.broadcast.onSent(member, sent, this.now));
  }

  private spread(from: Node, body: Uint8Array): void {
    this.kinds[body[0]] = (this.kinds[body[0]] ?? 0) + 1;
    this.carry(from, body, (to) => to.broadcast.onBody(from.member, body, this.now));
  }

  private carry(from: Node, body: Uint8Array | null, arrive: (to: Node) => void): void {
    for (const to of this.nodes) {
      if (to === from || !this.passes(from, to, body) || this.random() < this.loss) continue;
      for (let copies = this.random() < this.duplication ? 2 : 1; copies > 0; copies--) {
        const at = this.now + 1 + Math.floor(this.random() * this.delayMs);
        this.agenda.set(at, [...(this.agenda.get(at) ?? []), () => arrive(to)]);
      }
    }
  }
}
