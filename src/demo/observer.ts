/**
 * Counts, on the server's interface, which node forwarded what.
 *
 * Problem: a second copy of a packet is harmless to TCP, so neither client nor server tells that
 * two nodes accepted it. Its source MAC address does. A capture would show it, too, but may lose
 * frames under load, and tcpdump does not start in a user namespace (it insists on setgroups(2)).
 * So the kernel counts, for every frame, before IP sees it: for each node a set of the
 * connections and one of the packets it has forwarded.
 *
 *     frame from node 1:  connection in the set of node 2?   -> accepted twice, once per connection
 *                         same packet in the set of node 2?  -> overlap
 *                         remember connection and packet; no room -> untracked
 *
 * A packet is the same if addresses, port, IP id, sequence, acknowledgement and length are; IPv6
 * has no id, there the TCP timestamp tells a retransmission from a copy. A connection is client
 * address and port: clients must not use a port again within CONNECTION_S.
 */
import type { Lab } from "./lab.js";
import { nodeMac } from "./topology.js";

const TABLE = "observer";

/** Seconds a connection is remembered after its last packet. */
export const CONNECTION_S = 60;

/** Seconds a packet is remembered; its copy comes within milliseconds. */
const PACKET_S = 5;

/** Elements of each set. Beyond: the frame is counted as untracked. */
const SET_ELEMENTS = 262_144;

export interface Observation {
  /** Connections to the service that each node opened, by node id. */
  readonly hitsByNode: Readonly<Record<number, number>>;
  /** Connections with packets from more than one node. */
  readonly acceptedTwice: number;
  /** Packets that two nodes forwarded. */
  readonly overlapPackets: number;
  /** Frames that could not be judged: from no node, or no room to remember them. */
  readonly untracked: number;
}

/** What names connection and packet in an address family. */
interface Family {
  readonly name: "4" | "6";
  readonly connection: string;
  readonly packet: string;
}

const FAMILIES: readonly Family[] = [
  family("4", "ip saddr", "ip id . tcp sequence . tcp ackseq . ip length"),
  // Less by the acknowledgement: nft 1.0.6 has not the registers for two keys of that length in a
  // rule.
  family("6", "ip6 saddr", "tcp option timestamp tsval . tcp sequence . ip6 length"),
];

function family(name: "4" | "6", address: string, identity: string): Family {
  const connection = `${address} . tcp sport`;
  return { name, connection, packet: `${connection} . ${identity}` };
}

/**
 * Ports of the server: connections to `service` are hits, those to `probe` are watched, not
 * counted.
 */
export interface ObservedPorts {
  readonly service: number;
  readonly probe: number;
}

/** Counts from its making on, until the lab is closed. */
export class Observer {
  private readonly counted = new Map<string, number>();

  /** @throws OpError */
  constructor(
    private readonly lab: Lab,
    ports: ObservedPorts,
  ) {
    lab.exec("server", ["nft", "-f", "-"], observerText(lab.nodes, ports));
  }

  /** What was counted so far. @throws OpError */
  read(): Observation {
    // Reset, not list: nft 1.0.6 reads all elements of all sets to list a counter, and stumbles
    // over ours.
    const reset = ["nft", "-json", "reset", "counters", "table", "netdev", TABLE];
    addCounters(this.counted, this.lab.exec("server", reset));
    return toObservation(this.counted, this.lab.nodes);
  }
}

/** Adds the counters of nft's JSON to what was counted before. */
export function addCounters(counted: Map<string, number>, text: string): void {
  const { nftables } = JSON.parse(text) as { nftables: { counter?: NftCounter }[] };
  for (const { counter } of nftables) {
    if (counter?.table !== TABLE) continue;
    counted.set(counter.name, (counted.get(counter.name) ?? 0) + counter.packets);
  }
}

/** @throws Error where a counter is missing: what was not counted must not look like zero */
export function toObservation(
  counted: ReadonlyMap<string, number>,
  nodes: readonly number[],
): Observation {
  const count = (name: string) => {
    const packets = counted.get(name);
    if (packets === undefined) throw new Error(`the observer has no counter ${name}`);
    return packets;
  };
  return {
    hitsByNode: Object.fromEntries(nodes.map((id) => [id, count(`hits_${id}`)])),
    acceptedTwice: count("accepted_twice"),
    overlapPackets: count("overlap"),
    untracked: count("untracked"),
  };
}

interface NftCounter {
  readonly table: string;
  readonly name: string;
  readonly packets: number;
}

/** The rules, for `nft -f`. */
export function observerText(nodes: readonly number[], { service, probe }: ObservedPorts): string {
  const counters = ["accepted_twice", "overlap", "untracked", ...nodes.map((id) => `hits_${id}`)];
  const origins = nodes.map((id) => `${nodeMac("outside", id)} : goto from_${id}`).join(", ");
  return `table netdev ${TABLE} {
${counters.map((name) => `  counter ${name} { }`).join("\n")}
${FAMILIES.map((each) => setsText(each, nodes)).join("\n")}
${nodes.map((id) => originText(id, nodes, service)).join("\n")}
  chain frames {
    type filter hook ingress device "eth0" priority 0; policy accept;
    tcp dport { ${service}, ${probe} } ether saddr vmap { ${origins} }
    tcp dport { ${service}, ${probe} } counter name untracked
  }
}
`;
}

function setsText({ name, connection, packet }: Family, nodes: readonly number[]): string {
  const set = (title: string, key: string, seconds: number) =>
    `  set ${title} { typeof ${key}; flags dynamic,timeout; ` +
    `timeout ${seconds}s; size ${SET_ELEMENTS}; }`;
  return [
    set(`twice${name}`, connection, CONNECTION_S),
    ...nodes.map((id) => set(`connections${name}_${id}`, connection, CONNECTION_S)),
    ...nodes.map((id) => set(`packets${name}_${id}`, packet, PACKET_S)),
  ].join("\n");
}

/** The rules for frames of one node. A rule that cannot remember falls through to `untracked`. */
function originText(id: number, nodes: readonly number[], service: number): string {
  const others = nodes.filter((other) => other !== id);
  const rules = FAMILIES.flatMap(({ name, connection, packet }) => [
    ...others.map(
      (other) =>
        `${connection} @connections${name}_${other} ${connection} != @twice${name} ` +
        `counter name accepted_twice add @twice${name} { ${connection} }`,
    ),
    `tcp dport ${service} tcp flags & (syn | ack) == syn ` +
      `${connection} != @connections${name}_${id} counter name hits_${id}`,
    // A reset carries no timestamp and always the IP id 0: two of them are alike without being one.
    `tcp flags & rst != 0 update @connections${name}_${id} { ${connection} } accept`,
    ...others.map((other) => `${packet} @packets${name}_${other} counter name overlap`),
    `add @packets${name}_${id} { ${packet} } ` +
      `update @connections${name}_${id} { ${connection} } accept`,
  ]);
  return `  chain from_${id} {\n    ${rules.join("\n    ")}\n    counter name untracked\n  }`;
}
