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
export const DATAGRAM_BYTES_MIN = 28 + 16 + 52 + 4 * RUNS_MAX + 18 * ECHOES_MAX;

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

/**
 * Milliseconds between two ticks while something is under way; while nothing is, the next one comes
 * when something is due.
 */
export const TICK_MS = 10;

/** Times a node says that it leaves, one tick apart; peers that miss all notice the silence. */
export const LEAVE_REPEATS = 3;

/** Milliseconds until a link that failed is opened again. */
export const REOPEN_MS = 1000;

/** Bytes of a body: what is left of a datagram beside header and tag. */
export const BODY_BYTES = DATAGRAM_BYTES - 28 - 16;

/**
 * Frames a sender keeps for repair, a power of two. All nodes count on the same number: a receiver
 * whose gap is longer knows without asking that it has to resync.
 */
export const SEND_BUFFER_FRAMES = 4096;

/**
 * Heartbeats after which the layers above are told again how far a peer's stream has come, although
 * nothing has changed: what they were told while they could not follow it is forgotten.
 */
export const SENT_REPEAT_BEATS = 5;

/** Frames kept behind a gap, per sender. Above: dropped, counted `notHeld`, and asked for later. */
export const HELD_FRAMES_MAX = 1024;

/** Runs of frames in one NAK, and frames asked for at once; the rest waits for the next NAK. */
export const NAK_RUNS_MAX = 64;
export const NAK_FRAMES_MAX = 256;

/** Milliseconds from a gap to the first NAK: datagrams overtake each other. */
export const NAK_DELAY_MS = 5;

/** Milliseconds between two NAKs of one receiver to one sender. */
export const NAK_REPEAT_MS = 30;

/** A frame is not repaired twice within this many milliseconds, whoever asks. */
export const REPAIR_HOLD_MS = 15;

/** Repairs sent in one tick. The rest waits; at most the send buffer can wait. */
export const REPAIRS_PER_TICK = 32;

/** Milliseconds between two RESYNC or REPAIR of one node to the same peer. */
export const RESYNC_REPEAT_MS = 100;
export const REPAIR_REPEAT_MS = 500;

/**
 * Milliseconds between two ACKs of a node: when more has changed than how far it has come, and when
 * not.
 */
export const ACK_MS = 100;
export const ACK_REST_MS = 500;

/** Once somebody waits for a frame, each further one is acknowledged at once for so long. */
export const ACK_EAGER_MS = 100;

/** A resync has failed when the kernel's table was not read after so many milliseconds. */
export const RESYNC_PATIENCE_MS = 15_000;

/** Buckets in one REPAIR; the rest waits for the next. */
export const REPAIR_BUCKETS_MAX = 256;

/** New frames of flow changes sent in one tick. The rest waits, one entry per flow at most. */
export const FRAMES_PER_TICK = 64;

/**
 * Frames of tables and repaired buckets sent in one tick; each repair of a frame takes one away.
 */
export const TABLE_FRAMES_PER_TICK = 16;

/** A newcomer no longer waits for a peer whose table has not moved on for so many milliseconds. */
export const TABLE_PATIENCE_MS = 10_000;

/** Milliseconds between two rounds of digests, and how many a round has at most and at least. */
export const DIGEST_MS = 500;
export const DIGESTS_MAX = 128;
export const DIGEST_ROUNDS = 16;

/** A digest judges a bucket only when nobody but its owner has changed it for so long. */
export const SETTLE_MS = 1000;

/** An owner that hears of another yields for so long: most are handovers, and end by themselves. */
export const CONTEST_MS = 1000;

/**
 * Events of a bucket that was given up are still told for so long: they come late from the kernel.
 */
export const LINGER_MS = 1000;

/** What a dead node said in its last milliseconds is repeated by those who heard it. */
export const LAST_WORDS_MS = 1000;

/** Deleted flows remembered, and for how long. At the bound the oldest is forgotten. */
export const TOMBSTONES_MAX = 65_536;
export const TOMBSTONE_MS = 60_000;

/** A replica that the kernel lost is created again after this, if its owner still has it. */
export const RECREATE_MS = 2000;

/**
 * The same for an expectation, which every kernel that sees its packet uses up: if the owner did
 * not, it must be here again before the packet is repeated (a second, RFC 6298).
 */
export const RECREATE_EXPECTATION_MS = 200;

/**
 * Expectations of one kernel that are told of, own and replicated. Those beyond stay with their
 * node and are counted (`refused`, as TOOMANY). What peers want here beyond the kernel's own bound
 * (net.netfilter.nf_conntrack_expect_max) it refuses: EMFILE.
 */
export const EXPECTATIONS_MAX = 4096;

/** Milliseconds until a table asked of the kernel is asked for again. */
export const DUMP_PATIENCE_MS = 5000;

/**
 * Flows too young to be told. Above: the oldest makes room if it has no reply, else the new one.
 */
export const YOUNG_MAX = 131_072;

/** A flow without a reply waits this many windows instead of one before it is told. */
export const UNREPLIED_WINDOWS = 8;

/** Characters of a helper's name (NF_CT_HELPER_NAME_LEN of the kernel). Longer: malformed. */
export const HELPER_CHARS_MAX = 16;

/**
 * Where foreign packets are dropped before connection tracking: milliseconds between two looks at
 * all flows, replicas refreshed in a tick, and records looked at in it. The rest waits; a replica
 * that ran out meanwhile is created again.
 */
export const UPKEEP_MS = 1000;
export const UPKEEP_PER_TICK = 256;
export const UPKEEP_LOOKS_PER_TICK = 4096;

/**
 * With `sync.replicas: cold`: replicas created or deleted in one turn of the sync thread; the rest
 * waits. There is a turn in each tick, and while some are to be created as many as it has time for.
 */
export const INSTALLS_PER_TURN = 512;
export const DELETES_PER_TURN = 256;

/** A bucket that is not wanted any more keeps its flows in the kernel for so long. */
export const UNWANTED_MS = 2 * LINGER_MS;

/**
 * A claimed bucket waits so long for its flows. Then it is leased without: what is new in it cannot
 * wait for ever. Counted as `leasedLate`; its flows stand still until they are in the kernel.
 */
export const INSTALL_PATIENCE_MS = 5000;

/** Replicas outside the kernel in one answer to who lists them; the next answer has the rest. */
export const OUT_FLOWS_MAX = 512;
