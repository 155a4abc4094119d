/** What faults and time do to a world. Nothing here knows what a node does. */
import { leased, type Machine } from "./machine.js";
import {
  HELD,
  LATE,
  modeOf,
  nowOf,
  type Packet,
  packetOf,
  receiverOf,
  twiceOf,
  type World,
} from "./world.js";

export function receivers(world: World, from: number, datagram: number): Packet[] {
  return world.machines.flatMap((one, index) =>
    one && index + 1 !== from ? [packetOf(datagram, index + 1)] : [],
  );
}

export function withPackets(world: World, more: readonly Packet[]): World {
  if (more.length === 0) return world;
  return { ...world, packets: [...world.packets, ...more].sort((a, b) => a - b) };
}

export function without(world: World, packet: Packet): World {
  const packets = world.packets.slice();
  packets.splice(packets.indexOf(packet), 1);
  return { ...world, packets };
}

export function withoutPacketsTo(world: World, node: number): World {
  return { ...world, packets: world.packets.filter((packet) => receiverOf(packet) !== node) };
}

export function spend(world: World, what: keyof World["budget"]): World {
  const faults = world.faults + Number(what !== "duplicate");
  return { ...world, faults, budget: { ...world.budget, [what]: world.budget[what] - 1 } };
}

export function heardOf(world: World, sender: number): World {
  if (world.crash?.node !== sender || world.crash.heardBeat === world.beat) return world;
  return { ...world, crash: { ...world.crash, heardBeat: world.beat } };
}

/**
 * The process is gone. Nobody may count on what its kernel accepts for a while; what it has sent
 * still arrives.
 */
export function crashed(world: World, node: number): World {
  const machine = world.machines[node - 1]?.machine as Machine;
  const orphans = leased(machine, nowOf(world.beat));
  const machines = world.machines.map((one, index) => (index === node - 1 ? null : one));
  const crash = { node, orphans, leaseMs: machine.leaseMs, heardBeat: world.beat };
  const orders = world.orders.filter((order) => order.node !== node);
  return withoutPacketsTo({ ...world, machines, crash, orders }, node);
}

export function advanced(world: World): World {
  const doubled = twiceOf(world);
  const twice = world.twice.map((beats, bucket) => ((doubled >>> bucket) & 1 ? beats + 1 : 0));
  const packets = world.packets.map((packet) =>
    modeOf(packet) === HELD ? packet - HELD + LATE : packet,
  );
  return { ...world, beat: world.beat + 1, ticked: 0, twice, packets };
}
