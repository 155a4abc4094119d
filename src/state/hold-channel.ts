/**
 * How the thread that holds first replies asks about them, and is answered. Both sides open the
 * channels by name, so either can be started again without the other.
 */

/** One question: words of a row. Addresses and ports as in a dissected packet. */
export const ASK = {
  /** What the answer names. */
  TICKET: 0,
  /** 4 or 6. */
  FAMILY: 1,
  PROTOCOL: 2,
  SRC_PORT: 3,
  DST_PORT: 4,
  /** First of four words each. */
  SRC: 5,
  DST: 9,
  WORDS: 13,
} as const;

/** `Int32Array` of rows, from the packet side. */
export const ASK_CHANNEL = "shardwall-hold-ask";

/** `Int32Array` of the tickets that need not wait any longer. */
export const RELEASE_CHANNEL = "shardwall-hold-release";

/**
 * Protocols whose first reply is held: those whose ends take it for a connection. Any other flow is
 * a question and an answer, and loses nothing when it is asked again.
 */
export const HELD_PROTOCOLS = [6, 17, 33, 132, 136] as const;
