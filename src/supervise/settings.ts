/** From the configuration to what each part needs to know. */
import { join } from "node:path";
import type { MessagePort } from "node:worker_threads";
import type { ControlThreadData } from "../cluster/messages.js";
import { clusterSettings, configDigest } from "../cluster/settings.js";
import type { SyncThreadData } from "../cluster/sync/messages.js";
import { addressBytes } from "../config/address.js";
import type { Secrets } from "../config/secret.js";
import type { Config, InterfaceConfig } from "../config/types.js";
import type { PassingMap } from "../kernel/bpf/passing.js";
import type { InstallSettings } from "../kernel/install.js";
import type { SharedBuffer } from "../state/layout.js";

/** The main thread only watches; a pause of it harms nobody for this long. Milliseconds. */
const MAIN_STALL_MS_MIN = 1000;

/**
 * A packet worker is silent for this many times `failureMs` before it counts as stalled. Shorter,
 * and a busy machine takes a late thread for a dead one: giving the range up costs more than
 * waiting for it.
 */
const WORKER_STALL_FACTOR = 2;

/** nft table of a cluster: its name with everything else than letters and digits replaced. */
export function tableName(cluster: string): string {
  return `shardwall_${cluster.replace(/[^A-Za-z0-9]/g, "_")}`;
}

/** An interface whose packets are the cluster's: it has a cluster MAC. */
export type ClusterInterface = InterfaceConfig & { readonly mac: string };

export function clusterInterfaces(config: Config): ClusterInterface[] {
  return config.interfaces.filter((link): link is ClusterInterface => link.mac !== null);
}

/** @param directory of the record file */
export function installSettings(config: Config, directory: string): InstallSettings {
  const { dataplane, cluster } = config;
  const table = tableName(cluster.name);
  return {
    table,
    interfaces: clusterInterfaces(config).map(({ name, mac, addresses }) => ({
      name,
      mac,
      addresses: addresses.map(({ address, length }) => `${address}/${length}`),
    })),
    links: config.links.map((link) => ({ interface: link.interface, port: link.port })),
    markMask: dataplane.markMask,
    buckets: cluster.buckets,
    nat: config.nat.map(({ source, ...rule }) => ({
      ...rule,
      source: `${source.address}/${source.length}`,
    })),
    firstQueue: dataplane.firstQueue,
    queues: dataplane.queues,
    hold: config.sync.holdMs > 0,
    offload: dataplane.offload,
    strictTcp: dataplane.strictTcp,
    recordFile: join(directory, `${table}.node${config.node}.json`),
  };
}

/** @param seed of the bucket hash */
export function controlData(
  config: Config,
  secrets: Secrets,
  seed: number,
  shared: SharedBuffer,
  sync: MessagePort,
  passing: PassingMap | null,
): ControlThreadData {
  const { cluster, timing, membership, dataplane } = config;
  const { mode } = cluster.hash;
  return {
    settings: clusterSettings({
      id: config.node,
      name: cluster.name,
      secret: secrets.current,
      otherSecret: secrets.other?.secret ?? null,
      links: config.links.length,
      buckets: cluster.buckets,
      heartbeatMs: timing.heartbeatMs,
      failureMs: timing.failureMs,
      leaseMs: timing.leaseMs,
      isolation: membership.isolation,
      size: membership.size ?? 1,
      configDigest: configDigest([
        cluster.buckets,
        mode,
        seed,
        dataplane.markMask,
        timing.heartbeatMs,
        timing.failureMs,
        ...config.nat.map(({ to, ports }) => `${to} ${ports}`),
      ]),
    }),
    links: config.links,
    shared,
    table: tableName(cluster.name),
    markMask: dataplane.markMask,
    workerStallMs: WORKER_STALL_FACTOR * timing.failureMs,
    mainStallMs: Math.max(MAIN_STALL_MS_MIN, timing.failureMs),
    passing,
    isCold: config.sync.replicas === "cold",
    sync,
  };
}

/** IANA numbers of `sync.protocols`; `icmp` is that of both families. */
const PROTOCOL_NUMBERS: Readonly<Record<string, readonly number[]>> = {
  tcp: [6],
  udp: [17],
  udplite: [136],
  sctp: [132],
  dccp: [33],
  icmp: [1, 58],
  icmpv6: [58],
  gre: [47],
};

/** @param hasEarlyDrop whether foreign packets are dropped before connection tracking */
export function syncData(
  config: Config,
  hasEarlyDrop: boolean,
): Omit<SyncThreadData, "control" | "holdWakeFd"> {
  const { cluster, dataplane, sync, node, nat } = config;
  const isSymmetric = cluster.hash.mode === "tuple";
  const translated = nat.map(({ to }) => addressBytes(to));
  return {
    node,
    buckets: cluster.buckets,
    markMask: dataplane.markMask,
    isOpenerHashed: !isSymmetric,
    windowMs: sync.windowMs,
    flowsMax: sync.flows,
    protocols: sync.protocols.flatMap((name) => PROTOCOL_NUMBERS[name] ?? []),
    scope: { states: sync.states, ignore: sync.ignore, only: sync.only },
    eventBufferBytes: sync.eventBufferBytes,
    holdMs: sync.holdMs,
    earlyDrop: hasEarlyDrop ? { isBlind: isSymmetric, translated } : null,
    cold: sync.replicas === "cold" ? { translated } : null,
  };
}
