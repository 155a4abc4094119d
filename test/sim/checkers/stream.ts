/**
 * B1, B4, B5: what is delivered is what its sender published, in order, once, from the start that
 * was given; and nothing of an older incarnation after a newer one of the same machine. A twin is
 * no successor: who met it may follow the node before it again.
 */
import type { Follower } from "../../../src/cluster/broadcast/broadcast.js";
import type { FlowSync } from "../../../src/cluster/flows/sync.js";
import type { Machine } from "../machine.js";
import { type Checker, Violation } from "../watch.js";

/** Frames of a sender that are kept to compare with; more than any send buffer. */
const FRAMES_KEPT = 8192;

interface Incarnation {
  readonly machine: Machine;
  readonly order: number;
  readonly frames: Map<number, Uint8Array>;
}

export class Streams implements Checker {
  readonly invariant = "B1, B4, B5";
  delivered = 0;
  private readonly incarnations = new Map<bigint, Incarnation>();

  onSync(machine: Machine, flows: FlowSync): void {
    this.followSender(machine, flows);
    this.followReceiver(machine, flows);
  }

  private followSender(machine: Machine, flows: FlowSync): void {
    const { broadcast } = flows;
    let frames = new Map<number, Uint8Array>();
    const restart = broadcast.restart.bind(broadcast);
    broadcast.restart = (self) => {
      frames = new Map();
      const order = this.incarnations.size;
      this.incarnations.set(self.incarnation, { machine, order, frames });
      restart(self);
    };
    const publish = broadcast.publish.bind(broadcast);
    broadcast.publish = (payload, now) => {
      frames.set(broadcast.buffer.next, payload.slice());
      if (frames.size > FRAMES_KEPT) frames.delete(frames.keys().next().value as number);
      publish(payload, now);
    };
  }

  private followReceiver(machine: Machine, flows: FlowSync): void {
    let expected = new Map<bigint, number>();
    const newest = new Map<Machine, number>();
    const onSelf = flows.onSelf.bind(flows);
    flows.onSelf = (self, now) => {
      expected = new Map();
      return onSelf(self, now);
    };
    const onStart = flows.receiver.onStart.bind(flows.receiver);
    flows.receiver.onStart = (peer: Follower, base: number) => {
      expected.set(peer.incarnation, base);
      onStart(peer, base);
    };
    const deliver = flows.receiver.deliver.bind(flows.receiver);
    flows.receiver.deliver = (peer: Follower, payload: Uint8Array, now: number) => {
      this.delivered += 1;
      const name = `node ${machine.id}, stream of node ${peer.node}`;
      const sequence = expected.get(peer.incarnation);
      if (sequence === undefined) throw new Violation("B1", `${name}: delivered before a start`);
      const sender = this.incarnations.get(peer.incarnation);
      const sent = sender?.frames.get(sequence);
      if (!sender || !sent || !isSame(sent, payload)) {
        throw new Violation(
          "B1",
          `${name}: delivered as frame ${sequence} what was not sent as it`,
        );
      }
      if (flows.broadcast.order.violations > 0) {
        throw new Violation("B1", `${name}: the node itself counts a frame out of order`);
      }
      expected.set(peer.incarnation, (sequence + 1) >>> 0);
      if (sender.order < (newest.get(sender.machine) ?? -1)) {
        throw new Violation("B4", `${name}: delivered of an incarnation that has ended`);
      }
      newest.set(sender.machine, sender.order);
      deliver(peer, payload, now);
    };
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
