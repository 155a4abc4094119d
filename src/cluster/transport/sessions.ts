/**
 * Receive keys and replay windows, one session for each incarnation of each sender.
 *
 * A key costs a derivation, and a header is not authentic before it was derived. So derivations are
 * rationed by the second, and a session is kept only after its first authentic datagram.
 */
import { KEYS_PER_SECOND_MAX, LINKS_MAX, SESSIONS_MAX } from "../limits.js";
import { ReplayWindow } from "./window.js";

export interface Session {
  readonly sender: number;
  readonly incarnation: bigint;
  /** Keys to try: one for each secret in use, one alone once it has proven right. */
  keys: readonly Uint8Array[];
  /** One window per link of the sender: links overtake each other. */
  readonly windows: readonly ReplayWindow[];
  /** Uses of all sessions before the last one of this; the least makes room. */
  used: number;
}

export class Sessions {
  private readonly kept: Session[] = [];
  /** By sender, the session that was used last: nearly always the one that is asked for. */
  private readonly latest: (Session | undefined)[] = [];
  private uses = 0;
  private secondStart = Number.NEGATIVE_INFINITY;
  private derived = 0;

  /** @param derive gives `keysEach` keys */
  constructor(
    private readonly keysEach: number,
    private readonly derive: (sender: number, incarnation: bigint) => readonly Uint8Array[],
  ) {}

  /** The session to try, or null when this second's derivations are used up. */
  find(sender: number, incarnation: bigint, now: number): Session | null {
    const latest = this.latest[sender];
    if (latest?.incarnation === incarnation) return latest;
    const isMeant = (each: Session) => each.sender === sender && each.incarnation === incarnation;
    const known = this.kept.find(isMeant);
    if (known) return known;
    if (now - this.secondStart >= 1000) {
      this.secondStart = now;
      this.derived = 0;
    }
    if (this.derived + this.keysEach > KEYS_PER_SECOND_MAX) return null;
    this.derived += this.keysEach;
    const windows = Array.from({ length: LINKS_MAX }, () => new ReplayWindow());
    return { sender, incarnation, keys: this.derive(sender, incarnation), windows, used: 0 };
  }

  /** Keeps a session that has just opened an authentic datagram. */
  keep(session: Session): void {
    if (session.used === 0) {
      if (this.kept.length >= SESSIONS_MAX) this.dropLeast();
      this.kept.push(session);
    }
    this.uses += 1;
    session.used = this.uses;
    this.latest[session.sender] = session;
  }

  get size(): number {
    return this.kept.length;
  }

  private dropLeast(): void {
    const least = this.kept.reduce((a, b) => (a.used < b.used ? a : b));
    this.kept.splice(this.kept.indexOf(least), 1);
    if (this.latest[least.sender] === least) this.latest[least.sender] = undefined;
  }
}
