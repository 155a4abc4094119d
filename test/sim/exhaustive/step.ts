/**
 * What an action does to a world. Machines are forked, everything else is made anew, so a world
 * can be left in several ways.
 *
 * Of a machine only its own state, the clock and what it is given decide what it does. So each such
 * step of production code is taken once in a heartbeat and remembered; machines that have become
 * equal share a number. That makes a step of the world cheap, whatever a step of a node costs.
 */
import type { Output } from "../../../src/cluster/output.js";
import {
  advanced,
  crashed,
  heardOf,
  receivers,
  spend,
  without,
  withoutPacketsTo,
  withPackets,
} from "./change.js";
import { checkObedience, checkStep, checkTakeover, Violation } from "./checks.js";
import { fingerprint } from "./fork.js";
import { type Deeds, type Machine, newMachine, stepped } from "./machine.js";
import {
  type Action,
  coverOf,
  datagramOf,
  HELD,
  modeOf,
  type Numbered,
  nowOf,
  type Packet,
  packetOf,
  receiverOf,
  type World,
} from "./world.js";

interface Stepped {
  readonly next: Numbered;
  readonly deeds: Deeds;
  /** Numbers of the datagrams sent. */
  readonly sent: readonly number[];
}

export class Stage {
  /** Steps of production code taken so far. */
  nodeSteps = 0;
  private readonly datagrams: Uint8Array[] = [];
  private readonly datagramNumbers = new Map<string, number>();
  private numbers = new Map<string, Numbered>();
  private steps = new Map<string, Stepped>();
  private lastNumber = 0;

  constructor(private readonly buckets: number) {}

  /** Forgets what cannot come again once time has moved; `kept` are the worlds to go on with. */
  nextBeat(kept: Iterable<World>): void {
    this.numbers = new Map();
    this.steps = new Map();
    for (const world of kept) {
      for (const one of world.machines) {
        if (one) this.numbers.set(fingerprint(one.machine), one);
      }
    }
  }

  /** The world after `action`. @throws Violation */
  apply(world: World, action: Action): World {
    const trail = { action, before: world.trail };
    try {
      const after = { ...this.changed(world, action), trail };
      checkStep(world, after);
      return { ...after, covered: after.covered | coverOf(after) };
    } catch (error) {
      if (error instanceof Violation) error.trail = trail;
      throw error;
    }
  }

  bytesOf(packet: Packet): Uint8Array {
    return this.datagrams[datagramOf(packet)];
  }

  /** The packet that says here what `packet` says on another stage. */
  packetLike(other: Stage, packet: Packet): Packet {
    const datagram = this.datagram(other.bytesOf(packet));
    return packetOf(datagram, receiverOf(packet)) + modeOf(packet);
  }

  /** What a node would do now, for the time line. */
  deedsOf(world: World, action: Action): Deeds | null {
    if (action.kind === "tick") return this.tick(world, action.node).deeds;
    if (action.kind !== "deliver") return null;
    return this.hear(world, action.packet)?.deeds ?? null;
  }

  private changed(world: World, action: Action): World {
    switch (action.kind) {
      case "tick":
        return this.ticked(world, action.node);
      case "deliver":
        return this.delivered(world, action.packet);
      case "lose":
        return spend(without(world, action.packet), "loss");
      case "duplicate":
        return spend(withPackets(world, [action.packet]), "duplicate");
      case "hold":
        return spend(withPackets(without(world, action.packet), [action.packet + HELD]), "delay");
      case "crash":
        return spend(crashed(world, action.node), "crash");
      case "advance":
        return advanced(world);
      default:
        return this.ordered(world, action);
    }
  }

  private ticked(world: World, node: number): World {
    const step = this.tick(world, node);
    const ticked = world.ticked | (1 << (node - 1));
    return this.after({ ...world, ticked }, node, step);
  }

  private delivered(world: World, packet: Packet): World {
    const to = receiverOf(packet);
    const rest = heardOf(without(world, packet), this.senderOf(packet));
    const step = this.hear(world, packet);
    if (!step) return rest;
    checkObedience(this.bytesOf(packet), step.next.machine, step.deeds);
    return this.after(rest, to, step);
  }

  /** The world with a machine changed and what it has sent on its way. */
  private after(world: World, node: number, { next, deeds, sent }: Stepped): World {
    const [fault] = deeds.faults;
    if (fault) throw new Violation(`node ${node}: ${fault}`);
    checkTakeover(world, deeds);
    const machines = world.machines.slice();
    machines[node - 1] = next.machine.hasLeft ? null : next;
    const packets = sent.flatMap((datagram) => receivers(world, node, datagram));
    const changed = withPackets({ ...world, machines }, packets);
    return next.machine.hasLeft ? withoutPacketsTo(changed, node) : changed;
  }

  private ordered(world: World, action: Extract<Action, { node: number }>): World {
    const { node, kind } = action;
    const orders = world.orders.filter((order) => order.kind !== kind || order.node !== node);
    const machines = world.machines.slice();
    if (kind === "start") {
      machines[node - 1] = this.number(
        newMachine(node, this.buckets, world.failureBeats, nowOf(world.beat)),
      );
    } else {
      const { machine } = stepped(this.find(world, node).machine, nowOf(world.beat), (copy) => {
        copy.node.drain();
        return [];
      });
      machines[node - 1] = this.number(machine);
    }
    return { ...world, orders, machines };
  }

  private tick(world: World, node: number): Stepped {
    const now = nowOf(world.beat);
    return this.step(this.find(world, node), "tick", now, ({ node: it, isDrained }) => [
      ...(isDrained ? it.leave() : []),
      ...it.onTick(now),
    ]);
  }

  /** What becomes of the receiver; null when nobody is there. */
  private hear(world: World, packet: Packet): Stepped | null {
    const to = world.machines[receiverOf(packet) - 1];
    if (!to) return null;
    const now = nowOf(world.beat);
    const bytes = this.bytesOf(packet);
    return this.step(to, String(datagramOf(packet)), now, (machine) =>
      machine.node.onDatagram(now, 0, bytes),
    );
  }

  private step(
    from: Numbered,
    what: string,
    now: number,
    call: (machine: Machine) => Output[],
  ): Stepped {
    const name = `${from.number} ${what} ${now}`;
    const known = this.steps.get(name);
    if (known) return known;
    this.nodeSteps += 1;
    const { machine, deeds } = stepped(from.machine, now, call);
    const sent = deeds.sent.map((bytes) => this.datagram(bytes));
    const step = { next: this.number(machine), deeds, sent };
    this.steps.set(name, step);
    return step;
  }

  private number(machine: Machine): Numbered {
    const text = fingerprint(machine);
    const known = this.numbers.get(text);
    if (known) return known;
    this.lastNumber += 1;
    const numbered = { machine, number: this.lastNumber };
    this.numbers.set(text, numbered);
    return numbered;
  }

  private datagram(bytes: Uint8Array): number {
    const text = String.fromCharCode(...bytes);
    const known = this.datagramNumbers.get(text);
    if (known !== undefined) return known;
    this.datagramNumbers.set(text, this.datagrams.length);
    this.datagrams.push(bytes);
    return this.datagrams.length - 1;
  }

  private senderOf(packet: Packet): number {
    return this.bytesOf(packet)[5];
  }

  private find(world: World, node: number): Numbered {
    const found = world.machines[node - 1];
    if (!found) throw new Error(`no machine ${node}`);
    return found;
  }
}
