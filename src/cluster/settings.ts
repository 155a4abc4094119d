/** What the cluster protocols need to know, and the few things they ask of the world around. */
import { leaseMsOf } from "../config/limits.js";
import { DATAGRAM_BYTES, DATAGRAM_BYTES_MIN, LINKS_MAX } from "./limits.js";
import type { Isolation } from "./membership/isolation.js";
import type { Sealing } from "./transport/seal.js";

export interface ClusterSettings {
  /** This node, 1..255. */
  readonly id: number;
  readonly name: string;
  /** 32 bytes; a cluster that wants no secret takes zeros. */
  readonly secret: Uint8Array;
  /** Accepted beside `secret` while the nodes exchange it; null at any other time. */
  readonly otherSecret: Uint8Array | null;
  /** Number of links, 1..LINKS_MAX. */
  readonly links: number;
  readonly buckets: number;
  readonly heartbeatMs: number;
  readonly failureMs: number;
  /** Shorter than `failureMs`, so that a lease ends before the peers take over. */
  readonly leaseMs: number;
  /** Milliseconds a starting node listens before it takes part. */
  readonly joinMs: number;
  /** Buckets claimed in one heartbeat on the way to the target. */
  readonly handoverStep: number;
  readonly isolation: Isolation;
  /** Nodes of the whole cluster; only `majority` asks. */
  readonly size: number;
  /** `configDigest` of every setting the whole cluster must share. */
  readonly configDigest: bigint;
  readonly datagramBytesMax: number;
}

export interface ClusterInputs {
  /** 64 unpredictable bits: incarnations and challenges. */
  random(): bigint;
  /** Whether the flows a node needs before it is active have arrived. Default: yes. */
  isSynced?(): boolean;
  /** Whether a bucket's flows are here as `owner` has them. Default: yes. */
  mayClaim?(bucket: number, owner: number): boolean;
  /**
   * When the newest `ask` was made that is answered: what {@link mayClaim} says is not older.
   * Default: it is always of now, and nobody is asked.
   */
  answeredMs?(): number;
  /**
   * Whether the flows of a bucket are in the kernel, so that it may be leased, or claimed from who
   * serves it. Default: they always are, and nobody is told which ones should be.
   */
  isUsable?(bucket: number): boolean;
  /** What protects datagrams. Default: AES-256-GCM. */
  readonly sealing?: Sealing;
}

type Given = Pick<ClusterSettings, "id" | "name" | "secret" | "buckets" | "configDigest">;

/** Settings with every default filled in. @throws RangeError when they contradict each other */
export function clusterSettings(given: Given & Partial<ClusterSettings>): ClusterSettings {
  const heartbeatMs = given.heartbeatMs ?? 50;
  const failureMs = given.failureMs ?? 200;
  const settings: ClusterSettings = {
    otherSecret: null,
    links: 1,
    heartbeatMs,
    failureMs,
    leaseMs: leaseMsOf(failureMs),
    joinMs: failureMs + 2 * heartbeatMs,
    handoverStep: Math.ceil(given.buckets / 8),
    isolation: "serve",
    size: 1,
    datagramBytesMax: DATAGRAM_BYTES,
    ...given,
  };
  require(settings.leaseMs < failureMs, "leaseMs must be below failureMs");
  require(heartbeatMs < settings.leaseMs, "heartbeatMs must be below leaseMs");
  require(settings.links >= 1 && settings.links <= LINKS_MAX, `links: 1..${LINKS_MAX}`);
  require(settings.datagramBytesMax >= DATAGRAM_BYTES_MIN, `datagram: >= ${DATAGRAM_BYTES_MIN}`);
  return settings;
}

function require(holds: boolean, message: string): void {
  if (!holds) throw new RangeError(message);
}

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/**
 * FNV-1a of the settings that all nodes must share: buckets, hash mode, seed, mark mask, timing,
 * translated addresses and their ports.
 * It finds mistakes; against forgery there is the seal.
 */
export function configDigest(parts: readonly (string | number)[]): bigint {
  let hash = FNV_OFFSET;
  for (const byte of new TextEncoder().encode(parts.join("\n"))) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  }
  return hash;
}
