/** The configuration as the rest of the program sees it: complete, checked, frozen. */
import type { Endpoint, Prefix } from "./address.js";

export type HashMode = "tuple" | "source" | "xt-cluster";
/** `icmp` is that of both families. */
export type NatProtocol = "tcp" | "udp" | "udplite" | "sctp" | "icmp";
export type Isolation = "serve" | "yield" | "majority" | "probe";
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

export interface LinkConfig {
  readonly interface: string;
  /** Multicast group; null on a link with `peers`. */
  readonly group: string | null;
  readonly port: number;
  /** Unicast peers; empty on a link with a `group`. */
  readonly peers: readonly Endpoint[];
}

export interface InterfaceConfig {
  readonly name: string;
  /** Lower case; null leaves the interface's own MAC address as it is. */
  readonly mac: string | null;
  readonly addresses: readonly Prefix[];
}

export interface ClusterConfig {
  readonly name: string;
  /** Absolute path; null with `insecure`. */
  readonly secretFile: string | null;
  readonly insecure: boolean;
  /** Power of two, or `totalNodes` in mode xt-cluster. */
  readonly buckets: number;
  readonly hash: {
    readonly mode: HashMode;
    /** uint32; null means: derive it from the secret (`seedOf`). */
    readonly seed: number | null;
    /** Null but in mode xt-cluster. */
    readonly totalNodes: number | null;
  };
}

export interface DataplaneConfig {
  readonly backend: "nfqueue";
  readonly queues: number;
  readonly firstQueue: number;
  readonly onExit: "drop" | "accept";
  /** uint32, one piece of bits, wide enough for `buckets + 2` values. */
  readonly markMask: number;
  /** Bytes. */
  readonly copyRange: number;
  /** Packets. */
  readonly queueLength: number;
  /** Bytes. */
  readonly socketBuffer: number;
  readonly gso: boolean;
  readonly pickup: boolean;
  readonly offload: "new" | "established" | "none";
  readonly earlyDrop: "tc" | "none";
  readonly strictTcp: boolean;
}

export interface NatConfig {
  readonly out: string;
  readonly source: Prefix;
  /** A cluster address of `out`, as written there, of the family of `source`. */
  readonly to: string;
  /** First and last, both included; at least one for each bucket. */
  readonly ports: readonly [number, number];
  readonly protocols: readonly NatProtocol[];
  /** What becomes of a new flow whose bucket has no port left. */
  readonly full: "drop" | "reject";
}

export interface Config {
  /** The file it came from, for messages. */
  readonly file: string;
  readonly node: number;
  readonly cluster: ClusterConfig;
  readonly links: readonly LinkConfig[];
  /** Milliseconds; `leaseMs` follows from `failureMs` (limits.ts). */
  readonly timing: {
    readonly heartbeatMs: number;
    readonly failureMs: number;
    readonly leaseMs: number;
  };
  readonly membership: {
    readonly isolation: Isolation;
    /** Null but with isolation majority. */
    readonly size: number | null;
    readonly probes: readonly string[];
  };
  readonly interfaces: readonly InterfaceConfig[];
  readonly dataplane: DataplaneConfig;
  readonly sync: {
    readonly protocols: readonly string[];
    /** Milliseconds. */
    readonly windowMs: number;
    /** Records. */
    readonly flows: number;
    readonly states: readonly ("opening" | "established" | "closing")[];
    readonly ignore: readonly Prefix[];
    /** Empty: everything. */
    readonly only: readonly Prefix[];
    readonly eventBufferBytes: number;
    /** Milliseconds; 0: nothing is held. */
    readonly holdMs: number;
    /** A setting of this node alone: its peers may have the other one. */
    readonly replicas: "warm" | "cold";
  };
  /** The first that fits a packet counts. */
  readonly nat: readonly NatConfig[];
  readonly api: {
    readonly socket: string;
    /** Null: no metrics are served. */
    readonly metrics: Endpoint | null;
  };
  readonly log: { readonly level: LogLevel };
}
