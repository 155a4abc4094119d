/**
 * Bounds of the cluster protocols that are not keys of the configuration, with what happens at
 * each. Bounds a user can move are in config/limits.ts.
 */
import { LINKS, RUNS_MAX } from "../config/limits.js";

/** Nodes of a cluster, this one included. One more is counted `tooManyNodes`, not believed. */
export const NODES_MAX = 32;

/** Incarnations heard but not proven fresh. At the bound the one heard longest ago is forgotten. */
export const CANDIDATES_MAX = 8;

/** Echoes in a heartbeat: one for each peer and each candidate. */
export const ECHOES_MAX = NODES_MAX - 1 + CANDIDATES_MAX;

/** Link indices a header may name. Above: refused as `badLink`. */
export const LINKS_MAX = LINKS.max;

/** Bytes of a datagram, header and tag included: fits an Ethernet MTU with room for a tunnel. */
export const DATAGRAM_BYTES = 1400;

/** Smallest datagram limit a link may have: header, tag and the largest heartbeat. */
export const DATAGRAM_BYTES_MIN = 28 + 16 + 48 + 4 * RUNS_MAX + 17 * ECHOES_MAX;

/**
 * Receive keys derived in a second for incarnations not seen before. Above: refused as
 * `rateLimited`, so that forged headers cannot buy more than this many derivations.
 */
export const KEYS_PER_SECOND_MAX = 128;

/** Receive keys kept. Only an authentic datagram adds one; the least recently used makes room. */
export const SESSIONS_MAX = 128;

/** A datagram this many counters or more behind the newest of its link is refused as `replayed`. */
export const WINDOW_COUNTERS = 1024;

/** Counters end here, below 2^53, where numbers stop being exact. Refused as `replayed`. */
export const COUNTER_LIMIT = Number.MAX_SAFE_INTEGER - 16;

/** Times a node says that it leaves, one tick apart; peers that miss all notice the silence. */
export const LEAVE_REPEATS = 3;

/** Milliseconds until a link that failed is opened again. */
export const REOPEN_MS = 1000;
