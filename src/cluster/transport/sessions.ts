/**
 * Receive keys and replay windows, one session for each incarnation of each sender.
 *
 * A key costs a derivation, and a header is not authentic before it was derived. So derivations are
 * rationed by the second, and a session is kept only after its first authentic datagram.
 */
import { KEYS_PER_SECOND_MAX, LINKS_MAX, SESSIONS_MAX } from "../limits.js";
import { ReplayWindow } from "./window.js";

export interface Session {
  /** Keys to try: one for each secret in use, one alone once it has proven right. */
  keys: readonly Uint8Array[];
  /** One window per link of the sender: links overtake each other. */
  readonly windows: readonly ReplayWindow[];
}

export class Sessions {
  /** In order of use: a Map keeps insertion order, and each use inserts again. */
  private readonly kept = new Map<string, Session>();
  private secondStart = Number.NEGATIVE_INFINITY;
  private derived = 0;

  /** @param derive gives `keysEach` keys */
  constructor(
    private readonly keysEach: number,
    private readonly derive: (sender: number, incarnation: bigint) => readonly Uint8Array[],
  ) {}

  /** The session to try, or null when this second's derivations are used up. */
  find(sender: number, incarnation: bigint, now: number): Session | null {
    const known = this.kept.get(nameOf(sender, incarnation));
    if (known) return known;
    if (now - this.secondStart >= 1000) {
      this.secondStart = now;
      this.derived = 0;
    }
    if (this.derived + this.keysEach > KEYS_PER_SECOND_MAX) return null;
    this.derived += this.keysEach;
    const windows = Array.from({ length: LINKS_MAX }, () => new ReplayWindow());
    return { keys: this.derive(sender, incarnation), windows };
  }

  /** Keeps a session that has just opened an authentic datagram. */
  keep(sender: number, incarnation: bigint, session: Session): void {
    const name = nameOf(sender, incarnation);
    this.kept.delete(name);
    this.kept.set(name, session);
    if (this.kept.size > SESSIONS_MAX) this.kept.delete(this.kept.keys().next().value as string);
  }

  get size(): number {
    return this.kept.size;
  }
}

function nameOf(sender: number, incarnation: bigint): string {
  return `${sender}|${incarnation}`;
}
