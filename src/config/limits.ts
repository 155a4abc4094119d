/**
 * Every bound of the program, with what happens at the bound.
 *
 * A bound on a configuration key is a `Bound`: outside it, a file is refused with the key's line.
 * The key's default stands beside it, so that documentation, JSON Schema and code cannot disagree.
 * Bounds on what happens at run time are plain numbers below.
 */
export interface Bound {
  readonly min: number;
  readonly max: number;
  /** Taken when the key is absent; a bound without one belongs to a key that must be given. */
  readonly fallback?: number;
}

const U32_MAX = 0xffff_ffff;

/** Node ids travel in one octet, and 0 means "nobody". Outside: refused at load. */
export const NODE_ID: Bound = { min: 1, max: 255 };

/** Buckets of the modes `tuple` and `source`; also a power of two. Outside: refused at load. */
export const BUCKETS: Bound = { min: 2, max: 65536, fallback: 256 };

/** `--cluster-total-nodes`: the kernel match keeps its nodes in a 32-bit mask (xt_cluster.h). */
export const TOTAL_NODES: Bound = { min: 1, max: 32 };

/** jhash takes a 32-bit initial value. A larger seed is refused, never cut. */
export const SEED: Bound = { min: 0, max: U32_MAX };

/** The packet mark is 32 bits wide (skb->mark). */
export const MARK_MASK: Bound = { min: 1, max: U32_MAX, fallback: 0xffff_0000 };

/** Field values of the mark that are not buckets: 0 = not cluster traffic, all ones = ask us. */
export const MARK_RESERVED_VALUES = 2;

/** UDP port of a link. Outside: refused at load. */
export const PORT: Bound = { min: 1, max: 65535, fallback: 3780 };

/** Each link is one more copy of every datagram, and a link index is kept per peer. */
export const LINKS: Bound = { min: 1, max: 4 };

/** Unicast peers of a link: one datagram each per heartbeat. */
export const PEERS: Bound = { min: 1, max: 31 };

/** Milliseconds between heartbeats. Below 10 the scheduler's jitter is as large as the interval. */
export const HEARTBEAT_MS: Bound = { min: 10, max: 10_000, fallback: 50 };

/**
 * Milliseconds of silence until a node counts as dead. From 60 on, three heartbeats in it leave a
 * lease (`leaseMsOf`) of at least two: one late heartbeat does not end it.
 */
export const FAILURE_MS: Bound = { min: 60, max: 60_000, fallback: 200 };

/** Fewer heartbeats than this in `failureMs` and one lost datagram would kill a healthy node. */
export const HEARTBEATS_PER_FAILURE_MIN = 3;

/**
 * The lease ends at least this many milliseconds before the peers give up on us: nft elements
 * were seen to expire within about 10 ms of their timeout, and the peers' clocks tick on their own.
 */
export const LEASE_MARGIN_MS_MIN = 20;

/** Length of the lease in milliseconds: `failureMs` less a quarter of it, or the margin above. */
export function leaseMsOf(failureMs: number): number {
  return failureMs - Math.max(LEASE_MARGIN_MS_MIN, failureMs / 4);
}

/** Interfaces that carry cluster addresses. Each costs a few nft rules; above: refused. */
export const INTERFACES: Bound = { min: 1, max: 16 };

/** Cluster addresses of one interface. Above: refused at load. */
export const ADDRESSES: Bound = { min: 0, max: 64 };

/** IFNAMSIZ of the kernel less the closing zero. Longer: refused at load. */
export const INTERFACE_NAME_CHARS_MAX = 15;

/** Characters of a cluster's name. Longer: refused at load. */
export const CLUSTER_NAME_CHARS_MAX = 63;

/** NFQUEUE numbers are 16 bits wide; `firstQueue + queues` stays within this. */
export const QUEUE_NUMBERS = 65536;

/** Queues, and with them packet worker threads. Above: refused at load. */
export const QUEUES: Bound = { min: 1, max: 64, fallback: 1 };

/** Number of the first queue. */
export const FIRST_QUEUE: Bound = { min: 0, max: QUEUE_NUMBERS - 1, fallback: 100 };

/**
 * Bytes of a packet copied to us. 128 hold the longest IPv4 header with a TCP header behind it;
 * a header beyond the copied bytes drops the packet as `truncated`.
 */
export const COPY_RANGE: Bound = { min: 128, max: 65535, fallback: 256 };

/** Packets the kernel holds per queue. At the bound it drops and counts `queueDropped`. */
export const QUEUE_LENGTH: Bound = { min: 16, max: 1_048_576, fallback: 4096 };

/** Receive buffer of a queue's socket in bytes. Full: the kernel drops, counts `socketDropped`. */
export const SOCKET_BUFFER: Bound = { min: 65_536, max: 268_435_456, fallback: 4_194_304 };

/** Members expected by `isolation: majority`. */
export const MEMBERSHIP_SIZE: Bound = { min: 1, max: 255 };

/** Gateways probed by `isolation: probe`; one answer is enough. Above: refused at load. */
export const PROBES: Bound = { min: 0, max: 8 };

/** Entries of `nat`, `nat[].protocols` and `sync.protocols`. Outside: refused at load. */
export const NAT_RULES: Bound = { min: 0, max: 64 };
export const NAT_PROTOCOLS: Bound = { min: 1, max: 5 };
export const SYNC_PROTOCOLS: Bound = { min: 0, max: 8 };

/** Ports of a translation where none are given: all but the privileged ones. */
export const NAT_PORTS = "1024-65535";

/** Entries of `sync.states`, `sync.ignore` and `sync.only`. Above: refused at load. */
export const SYNC_STATES: Bound = { min: 1, max: 3 };
export const SYNC_PREFIXES: Bound = { min: 0, max: 64 };

/** Runs of a range in one heartbeat; beyond it a node goes to its sorted target directly. */
export const RUNS_MAX = 128;

/** sockaddr_un.sun_path less the closing zero. A longer socket path is refused at load. */
export const SOCKET_PATH_BYTES_MAX = 107;

/** Bytes of a configuration file. A larger one is refused unread. */
export const CONFIG_BYTES_MAX = 1_048_576;

/** Bytes of a cluster secret, and of the file that holds its text. Other sizes are refused. */
export const SECRET_BYTES = 32;
export const SECRET_FILE_BYTES_MAX = 256;

/** Problems reported at once for one configuration; the rest is told as a number. */
export const PROBLEMS_MAX = 100;

/** Request body on the API socket in bytes. Longer: answered with 413, connection closed. */
export const API_REQUEST_BYTES_MAX = 4096;

/** Request line and headers in bytes. Longer: answered with 431 by Node's HTTP parser. */
export const API_HEADER_BYTES_MAX = 8192;

/** Connections at once to the API socket or the metrics port. Above: closed at once. */
export const API_CONNECTIONS_MAX = 16;

/** Requests on one connection. The last is told that it is; later ones are answered with 503. */
export const API_REQUESTS_MAX = 64;

/**
 * Milliseconds for a request to arrive, later: answered with 408, connection closed. And in which
 * the client reads nothing of an answer; then the connection is closed.
 */
export const API_REQUEST_MS_MAX = 5000;

/** Answer of the daemon read by a command, in bytes. Longer: the command fails. */
export const API_ANSWER_BYTES_MAX = 16_777_216;

/** Metrics page in bytes. Longer: answered with 500. */
export const METRICS_BYTES_MAX = 4_194_304;

/** Milliseconds for which a metrics page is good. Who asks sooner gets the same page again. */
export const METRICS_PAGE_MS = 200;

/**
 * A packet worker to which so many packets came in the last millisecond pauses before it reads the
 * next, at most for this long, in microseconds: the most that its packets wait longer. Below, it
 * does not. The pause grows while batches are small, and shrinks while they are large.
 */
export const PACE_PACKETS_PER_MS = 5;
export const PACE_PAUSE_US = 100;
export const PACE_BATCH_SMALL = 16;
export const PACE_BATCH_LARGE = 64;

/**
 * Flows that a packet worker remembers where only the opener's address is hashed, a power of two.
 * At the bound the one seen longest ago makes room; its next reply may then be decided by the wrong
 * side.
 */
export const MIRROR_FLOWS = 65536;

/** A remembered flow is forgotten after this time without a packet; above UDP's in the kernel. */
export const MIRROR_IDLE_MS = 180_000;

/**
 * Receive buffer of the connection tracking events in bytes: doubled each time the kernel had to
 * leave events out, up to the maximum. At the maximum events are lost, counted and repaired by
 * reading the table again. An event takes more than a kilobyte there, an HTTP request makes seven,
 * and a collection of garbage lasts up to 0.1 s: with 2 MB, ten thousand requests a second had the
 * table read again each second, which cost twice as much as the events.
 */
export const EVENT_BUFFER_BYTES_MAX = 67_108_864;
export const EVENT_BUFFER: Bound = {
  min: 4096,
  max: EVENT_BUFFER_BYTES_MAX,
  fallback: 33_554_432,
};

/**
 * Milliseconds in which the client of a streamed answer reads nothing, such as a user in front of a
 * pager. Then the connection is closed: it is one of {@link API_CONNECTIONS_MAX}.
 */
export const API_STREAM_MS_MAX = 300_000;

/** A line of a streamed answer, in characters. Longer: the command fails. */
export const API_LINE_CHARS_MAX = 65_536;

/** Events kept for `shardwall events`. At the bound the oldest is forgotten. */
export const EVENTS_KEPT = 1000;

/** Milliseconds a flow must live before its replicas are made; 0 tells the peers of each one. */
export const SYNC_WINDOW_MS: Bound = { min: 0, max: 10_000, fallback: 250 };

/** Flows known to a node, own and replicated. At the bound, those without a reply make room. */
export const SYNC_FLOWS: Bound = { min: 1024, max: 4_194_304, fallback: 262_144 };

/**
 * Milliseconds the first reply of a flow may wait for the peers. A peer that takes all of them is
 * not waited for again until it has caught up.
 */
export const SYNC_HOLD_MS: Bound = { min: 0, max: 5000, fallback: 0 };

/** Replies held at once, a power of two. One more is let through and counted `overflow`. */
export const HELD_PACKETS_MAX = 1024;

/** Packets the kernel keeps for the thread that holds: those that are held, and what comes in. */
export const HOLD_QUEUE_LENGTH = 4 * HELD_PACKETS_MAX;

/** A held reply leaves at the latest this many milliseconds after `sync.holdMs`, counted `late`. */
export const HOLD_GRACE_MS = 20;

/** Flows other than TCP whose answer is remembered, a power of two, and for how long. */
export const HOLD_ANSWERED_FLOWS = 4096;
export const HOLD_ANSWERED_MS = 2000;
