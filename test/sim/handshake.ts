/**
 * A client that opens a connection, and the server that answers. Each packet takes its time, and is
 * repeated where nothing comes of it.
 *
 *      client                        server
 *        open --queue of a node-------->      as often as a node lets it through
 *        <------------------------answer      to each, until the connection is open
 *        data ------------------------->      open; a further opening gets a mere ACK
 */
import type { Connection, Packet } from "./connection.js";
import type { Scene } from "./machine.js";
import type { Random } from "./random.js";

const RETRY_MS = 1000;
const TRIES = 3;
/** Milliseconds at most that client and server take to answer, and their packets to come. */
const WAY_MS = 2;

export type Ending = "open" | "unanswered" | "failed";

export interface HandshakeParts {
  readonly scene: Scene;
  readonly random: Random;
  readonly connection: Connection;
  /** Whether no server is there. */
  readonly isUnanswered: boolean;
  /** Whether somebody let the packet through at once; `onThrough` is called then, and later. */
  send(kind: Packet["kind"], isReply: boolean, onThrough?: () => void): boolean;
  mayGoOn(): boolean;
  onEnd(ending: Ending): void;
}

export class Handshake {
  private triesLeft = TRIES;
  private isHeard = false;
  private ending: Ending | null = null;

  constructor(private readonly parts: HandshakeParts) {
    this.attempt();
  }

  private attempt(): void {
    const { scene, send, mayGoOn } = this.parts;
    if (this.ending) return;
    if (this.triesLeft < 0 || !mayGoOn()) return this.end("failed");
    this.triesLeft -= 1;
    // Who has heard the server waits for it; it repeats what was not acknowledged.
    if (this.isHeard) this.answer();
    else send("open", false, () => this.onOpening());
    scene.agenda.in(RETRY_MS, () => this.attempt());
  }

  private onOpening(): void {
    if (this.parts.isUnanswered) return this.end("unanswered");
    this.soon(() => this.answer());
  }

  private answer(): void {
    const { connection, send } = this.parts;
    if (connection.phase === "open") send("data", true);
    if (this.ending || !send("answer", true)) return;
    this.isHeard = true;
    this.soon(() => this.acknowledge());
  }

  private acknowledge(): void {
    if (!this.ending && this.parts.send("data", false)) this.end("open");
  }

  private soon(call: () => void): void {
    const { agenda } = this.parts.scene;
    agenda.in(this.parts.random.between(0, WAY_MS), call);
  }

  private end(ending: Ending): void {
    if (this.ending) return;
    this.ending = ending;
    this.parts.onEnd(ending);
  }
}
