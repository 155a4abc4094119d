/**
 * The lab's wiring, as text for `ip -batch`: the picture of the cluster match's README with a
 * link for the cluster's own traffic beside it.
 *
 *     client --- [inside] --- eth1 node 1..N eth2 --- [outside] --- server
 *                                  eth3
 *                                 [sync]
 *
 * The three switches are bridges in a namespace of their own. They do not snoop multicast, so
 * that frames to a multicast MAC reach every node, as on a switch in the field. Each cable is
 * made inside its two namespaces: no name ever appears in the namespace the lab was started from.
 */

/**
 * `firewall`: nodes forward between inside and outside. `host`: nodes are the servers, no outside.
 */
export type LabMode = "firewall" | "host";

export type Role = "client" | "server" | "switch" | `node${number}`;

/** The three cables of a node, and the interface each ends at. */
export const CABLES = { inside: "eth1", outside: "eth2", sync: "eth3" } as const;
export type Cable = keyof typeof CABLES;

export const INSIDE = {
  mac: "01:00:5e:00:01:01",
  cluster: ["192.168.0.5/24", "2001:db8:a::5/64"],
  clients4: ["192.168.0.2", "192.168.0.11", "192.168.0.12", "192.168.0.13"],
  clients6: ["2001:db8:a::2", "2001:db8:a::11"],
  /** A client address that no traffic uses: probes find its ports free. */
  probe: "192.168.0.3",
} as const;

export const OUTSIDE = {
  mac: "01:00:5e:00:01:02",
  cluster: ["192.168.1.5/24", "2001:db8:b::5/64"],
  server4: "192.168.1.2",
  server6: "2001:db8:b::2",
} as const;

export const SYNC = { group: "225.0.0.50", port: 3780 } as const;

/** MAC address of a node's interface: frames carry the id of the node that sent them. */
export function nodeMac(cable: Cable, node: number): string {
  const wire = Object.keys(CABLES).indexOf(cable) + 1;
  return `02:00:00:00:0${wire}:${node.toString(16).padStart(2, "0")}`;
}

/** Address of a node on the sync link, with prefix length. */
export function syncAddress(node: number): string {
  return `10.0.0.${node}/24`;
}

/** The cables of a node in a mode. */
export function cablesOf(mode: LabMode): Cable[] {
  return mode === "host" ? ["inside", "sync"] : ["inside", "outside", "sync"];
}

/** Everybody who has a namespace. */
export function rolesOf(mode: LabMode, nodes: readonly number[]): Role[] {
  const ends: Role[] = mode === "host" ? ["client"] : ["client", "server"];
  return [...ends, "switch", ...nodes.map((id): Role => `node${id}`)];
}

/** The switch's end of a node's cable. */
export function portOf(cable: Cable, node: number): string {
  return `${cable}-${node}`;
}

/** Namespaces and cables. @param name namespace of a role */
export function wiring(mode: LabMode, nodes: readonly number[], name: (role: Role) => string) {
  const lines = rolesOf(mode, nodes).map((role) => `netns add ${name(role)}`);
  const cable = (role: Role, end: string, port: string) =>
    lines.push(
      `link add ${end} netns ${name(role)} type veth peer name ${port} netns ${name("switch")}`,
    );
  cable("client", "eth0", "inside-client");
  if (mode === "firewall") cable("server", "eth0", "outside-server");
  for (const id of nodes) {
    for (const each of cablesOf(mode)) cable(`node${id}`, CABLES[each], portOf(each, id));
  }
  return lines;
}

/** Inside the namespace of the switches. */
export function switchSetup(mode: LabMode, nodes: readonly number[]): string[] {
  const lines: string[] = [];
  const plug = (bridge: Cable, port: string) => lines.push(`link set ${port} master ${bridge} up`);
  for (const bridge of cablesOf(mode)) {
    lines.push(`link add ${bridge} type bridge mcast_snooping 0 stp_state 0`);
    lines.push(`link set ${bridge} up`);
    for (const id of nodes) plug(bridge, portOf(bridge, id));
  }
  plug("inside", "inside-client");
  if (mode === "firewall") plug("outside", "outside-server");
  return lines;
}

/**
 * Inside a node's namespace. Cluster addresses are missing on purpose: `shardwall run` adds them.
 */
export function nodeSetup(mode: LabMode, node: number): string[] {
  const lines = ["link set lo up"];
  for (const cable of cablesOf(mode)) {
    lines.push(`link set ${CABLES[cable]} address ${nodeMac(cable, node)} up`);
  }
  return [...lines, `address add ${syncAddress(node)} dev ${CABLES.sync}`];
}

/** Inside the client's namespace. */
export function clientSetup(): string[] {
  const { clients4, clients6, probe, cluster } = INSIDE;
  return endSetup([...clients4, probe, ...clients6], cluster);
}

/** Inside the server's namespace. */
export function serverSetup(): string[] {
  return endSetup([OUTSIDE.server4, OUTSIDE.server6], OUTSIDE.cluster);
}

function endSetup(addresses: readonly string[], gateways: readonly string[]): string[] {
  const bits = (address: string) => (address.includes(":") ? 64 : 24);
  return [
    "link set lo up",
    "link set eth0 up",
    ...addresses.map((each) => {
      const flags = each.includes(":") ? " nodad" : "";
      return `address add ${each}/${bits(each)} dev eth0${flags}`;
    }),
    ...gateways.map((each) => `route add default via ${each.split("/")[0]} dev eth0`),
  ];
}

/**
 * Kernel settings of a node: it routes, and does not wait a second for its link-local addresses.
 */
export function nodeSettings(mode: LabMode): Record<string, string> {
  const settings: Record<string, string> = { "net/ipv6/conf/all/accept_dad": "0" };
  for (const cable of cablesOf(mode)) {
    settings[`net/ipv6/conf/${CABLES[cable]}/accept_dad`] = "0";
    settings[`net/ipv4/conf/${CABLES[cable]}/rp_filter`] = "0";
  }
  if (mode === "host") return settings;
  return {
    ...settings,
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
  };
}
