/**
 * The keys of a configuration file, each with its check, default and description. Relations between
 * keys are in relations.ts; the frozen result is built in config.ts. Names are a contract: keys may
 * be added, never renamed.
 */
import type { z } from "zod";
import {
  familyOf,
  isHost,
  isMac,
  isMulticast,
  parseEndpoint,
  parsePorts,
  parsePrefix,
} from "./address.js";
import { flag, list, section, text, whole, wholeOr, wholeOrHex, word } from "./leaf.js";
import * as limits from "./limits.js";
import { sync } from "./sync-schema.js";

const interfaceName = (description: string) =>
  text(
    (name) =>
      name.length <= limits.INTERFACE_NAME_CHARS_MAX &&
      /^[^\s/:]+$/.test(name) &&
      !/^\.\.?$/.test(name),
    `an interface name of 1..${limits.INTERFACE_NAME_CHARS_MAX} characters`,
    description,
  );

const filePath = (description: string) =>
  text((path) => path !== "" && !path.includes("\0"), "a path", description);

const cluster = section(
  {
    name: text(
      (name) => new RegExp(`^[A-Za-z0-9._-]{1,${limits.CLUSTER_NAME_CHARS_MAX}}$`).test(name),
      `1..${limits.CLUSTER_NAME_CHARS_MAX} of A-Z a-z 0-9 . _ -`,
      "Name of the cluster; clusters of different names ignore each other on one link.",
    ),
    secretFile: filePath("File with the cluster's secret, made by `shardwall keygen`.").optional(),
    insecure: flag(false, "Run without a secret: anybody on a link can take the cluster over."),
    buckets: whole(limits.BUCKETS, "Number of buckets, a power of two.").optional(),
    hash: section(
      {
        mode: word(
          ["tuple", "source", "xt-cluster"],
          "What names the bucket: both endpoints, the opener, or the kernel's cluster match.",
        ).default("tuple"),
        seed: wholeOrHex(limits.SEED, "Hash seed; derived from the secret when absent.").optional(),
        totalNodes: whole(limits.TOTAL_NODES, "Mode xt-cluster: --cluster-total-nodes.").optional(),
      },
      "How a packet gets its bucket.",
    ).prefault({}),
  },
  "What all nodes of a cluster have in common.",
);

const link = section(
  {
    interface: interfaceName("Interface the cluster's own traffic uses."),
    group: text(isMulticast, "an IPv4 or IPv6 multicast address", "Multicast group.").optional(),
    port: wholeOr(limits.PORT, "UDP port."),
    peers: list(
      text(
        (peer) => isHost(parseEndpoint(peer, 1)?.address ?? ""),
        '"address", "address:port" or "[IPv6 address]:port"',
        "Unicast address of a peer; `port` where none is given.",
      ),
      limits.PEERS,
      "Peers by unicast address, in place of a group.",
    ).optional(),
  },
  "One path of the cluster's own traffic.",
);

const timing = section(
  {
    heartbeatMs: wholeOr(limits.HEARTBEAT_MS, "Milliseconds between heartbeats."),
    failureMs: wholeOr(limits.FAILURE_MS, "Milliseconds of silence until a node counts as dead."),
  },
  "Clocks of membership and lease.",
);

const membership = section(
  {
    isolation: word(
      ["serve", "yield", "majority", "probe"],
      "What a node does that hears no peer any more.",
    ).default("serve"),
    size: whole(
      limits.MEMBERSHIP_SIZE,
      "isolation majority: nodes of the whole cluster.",
    ).optional(),
    probes: list(
      text(isHost, "an IPv4 or IPv6 unicast address", "Address of a gateway."),
      limits.PROBES,
      "isolation probe: gateways; one answer is enough to serve.",
    ).default([]),
  },
  "Who serves when nodes lose sight of each other.",
);

const clusterInterface = section(
  {
    name: interfaceName("Interface that carries cluster traffic."),
    mac: text(isMac, "six octets, 01:00:5e:00:01:01", "MAC address all nodes share.").optional(),
    unicastMac: flag(false, "Allow a unicast `mac`: the switch must flood it to every node."),
    addresses: list(
      text(
        (prefix) => isHost(parsePrefix(prefix)?.address ?? ""),
        "an address with prefix length, 192.168.0.5/24 or 2001:db8::5/64",
        "Cluster address.",
      ),
      limits.ADDRESSES,
      "Cluster addresses all nodes share.",
    ).default([]),
  },
  "An interface on which every node sees every packet.",
);

const dataplane = section(
  {
    backend: word(["nfqueue"], "Where packets come from.").default("nfqueue"),
    queues: wholeOr(limits.QUEUES, "Queues, one packet worker thread each."),
    firstQueue: wholeOr(limits.FIRST_QUEUE, "Number of the first queue."),
    onExit: word(
      ["drop", "accept"],
      "What an orderly stop leaves behind for cluster traffic.",
    ).default("drop"),
    markMask: wholeOrHex(
      limits.MARK_MASK,
      "Bits of packet and connection mark that carry the bucket, in one piece.",
    ).default(limits.MARK_MASK.fallback as number),
    copyRange: wholeOr(limits.COPY_RANGE, "Bytes of each packet the kernel hands over."),
    queueLength: wholeOr(limits.QUEUE_LENGTH, "Packets the kernel holds per queue."),
    socketBuffer: wholeOr(limits.SOCKET_BUFFER, "Receive buffer per queue in bytes."),
    gso: flag(true, "Take large packets whole, without segmenting them first."),
    pickup: flag(false, "Accept TCP flows whose opening was not seen."),
    offload: word(
      ["new", "established", "none"],
      "Which packets of this node's flows the kernel accepts without its workers; new: all of them.",
    ).default("established"),
    earlyDrop: word(
      ["tc", "none"],
      "Where foreign packets are refused before connection tracking.",
    ).default("none"),
    strictTcp: flag(true, "Set net.netfilter.nf_conntrack_tcp_loose to 0 while running."),
  },
  "The way of a packet.",
);

const natRule = section(
  {
    out: interfaceName("Interface the packets leave by."),
    source: text((value) => parsePrefix(value) !== null, "a prefix", "Addresses to translate."),
    to: text(
      (value) => familyOf(value) !== null && isHost(value),
      "an address",
      "Cluster address of `out` to use; its first of the family of `source` unless given.",
    ).optional(),
    ports: text(
      (value) => parsePorts(value) !== null,
      '"first-last"',
      "Ports and ICMP ids to use; each bucket gets an equal part.",
    ).default(limits.NAT_PORTS),
    protocols: list(
      word(["tcp", "udp", "udplite", "sctp", "icmp"], "Protocol of the flows."),
      limits.NAT_PROTOCOLS,
      "Protocols to translate; those without ports cannot be.",
    ).default(["tcp", "udp", "icmp"]),
    full: word(
      ["drop", "reject"],
      "What becomes of a new flow when its bucket has no port left for its destination.",
    ).default("drop"),
  },
  "One source address translation.",
);

const api = section(
  {
    socket: text(
      (path) => path.startsWith("/") && Buffer.byteLength(path) <= limits.SOCKET_PATH_BYTES_MAX,
      `an absolute path of at most ${limits.SOCKET_PATH_BYTES_MAX} bytes`,
      "Unix socket of the commands.",
    ).default("/run/shardwall/shardwall.sock"),
    metrics: text(
      (value) => /^\d+$/.test(value) === false && parseEndpoint(value, 0) !== null,
      '"address:port", for example 127.0.0.1:9470',
      "Where Prometheus metrics are served; absent: nowhere.",
    ).optional(),
  },
  "Where commands and metrics reach the node.",
);

const log = section(
  {
    level: word(
      ["trace", "debug", "info", "warn", "error", "fatal", "silent"],
      "Least severity that is logged.",
    ).default("info"),
  },
  "Structured log on stderr.",
);

export const configSchema = section(
  {
    node: whole(limits.NODE_ID, "Id of this node, unique in the cluster."),
    cluster,
    links: list(link, limits.LINKS, "Paths of the cluster's own traffic, all used at once."),
    timing: timing.prefault({}),
    membership: membership.prefault({}),
    interfaces: list(clusterInterface, limits.INTERFACES, "Interfaces with cluster traffic."),
    dataplane: dataplane.prefault({}),
    sync: sync.prefault({}),
    nat: list(natRule, limits.NAT_RULES, "Source address translation.").default([]),
    api: api.prefault({}),
    log: log.prefault({}),
  },
  "Configuration of one shardwall node.",
);

/** What the schema gives: defaults filled in, relations not yet checked. */
export type Parsed = z.output<typeof configSchema>;
