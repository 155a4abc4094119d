/**
 * Transport without sockets: bodies in, datagrams out, and the other way round.
 *
 * Each datagram is refused for exactly one reason, in the order below, and counted. All up to
 * `badAuth` judges clear bytes that anybody can forge, so it decides nothing but to refuse.
 *
 *      length -> magic, version -> cluster -> sender, link -> own? -> key -> authentic? -> new?
 */
import {
  encodeHeader,
  HEADER_BYTES,
  type Header,
  headerFault,
  readHeader,
} from "../frame/header.js";
import { LINKS_MAX } from "../limits.js";
import type { Refusal, RefusalCounters } from "../refusal.js";
import { AES_GCM, clusterIdOf, type Sealing, TAG_BYTES } from "./seal.js";
import { type Session, Sessions } from "./sessions.js";

export interface TransportSettings {
  readonly id: number;
  readonly name: string;
  readonly secret: Uint8Array;
  /** What peers may seal with beside it; null: nothing. */
  readonly otherSecret: Uint8Array | null;
  /** Number of links, 1..LINKS_MAX. */
  readonly links: number;
  readonly datagramBytesMax: number;
}

export interface Opened {
  readonly header: Header;
  readonly body: Uint8Array;
}

export class Transport {
  private readonly cluster: number;
  private readonly sessions: Sessions;
  private incarnation = 0n;
  private key: Uint8Array = new Uint8Array();
  private counters: number[] = [];

  constructor(
    private readonly settings: TransportSettings,
    private readonly refused: RefusalCounters,
    private readonly sealing: Sealing = AES_GCM,
  ) {
    this.cluster = clusterIdOf(settings.name);
    const { secret, otherSecret } = settings;
    const secrets = otherSecret === null ? [secret] : [secret, otherSecret];
    this.sessions = new Sessions(secrets.length, (sender, incarnation) =>
      secrets.map((each) => sealing.deriveKey(each, settings.name, sender, incarnation)),
    );
  }

  /** Begins a new incarnation: a new key, and counters from 0. */
  restart(incarnation: bigint): void {
    this.incarnation = incarnation;
    const { secret, name, id } = this.settings;
    this.key = this.sealing.deriveKey(secret, name, id, incarnation);
    this.counters = new Array(this.settings.links).fill(0);
  }

  /**
   * The datagram that carries `body` on `link`.
   * @throws RangeError when it would be longer than a datagram may be: bodies are bounded before.
   */
  seal(link: number, body: Uint8Array): Uint8Array {
    const length = HEADER_BYTES + body.length + TAG_BYTES;
    if (length > this.settings.datagramBytesMax)
      throw new RangeError(`datagram of ${length} bytes`);
    const counter = this.counters[link]++;
    const header = encodeHeader({
      sender: this.settings.id,
      link,
      cluster: this.cluster,
      incarnation: this.incarnation,
      counter,
    });
    return this.sealing.seal(this.key, header, body);
  }

  /** The authentic, new content of a datagram, or null and a counter. Never throws. */
  open(bytes: Uint8Array, now: number): Opened | null {
    const fault = this.lengthFault(bytes) ?? headerFault(bytes);
    if (fault) return this.refuse(fault);
    const header = readHeader(bytes);
    const doubt = this.headerDoubt(header);
    if (doubt) return this.refuse(doubt);
    const session = this.sessions.find(header.sender, header.incarnation, now);
    return session ? this.openWith(session, header, bytes) : this.refuse("rateLimited");
  }

  private openWith(session: Session, header: Header, bytes: Uint8Array): Opened | null {
    const body = this.unsealWith(session, bytes);
    if (!body) return this.refuse("badAuth");
    this.sessions.keep(session);
    if (!session.windows[header.link].accept(header.counter)) return this.refuse("replayed");
    return { header, body };
  }

  private lengthFault(bytes: Uint8Array): Refusal | null {
    if (bytes.length < HEADER_BYTES + TAG_BYTES) return "tooShort";
    return bytes.length > this.settings.datagramBytesMax ? "tooLong" : null;
  }

  private headerDoubt(header: Header): Refusal | null {
    if (header.cluster !== this.cluster) return "otherCluster";
    if (header.sender === 0) return "badSender";
    if (header.link >= LINKS_MAX) return "badLink";
    const isOwn = header.sender === this.settings.id && header.incarnation === this.incarnation;
    return isOwn ? "ownEcho" : null;
  }

  private refuse(reason: Refusal): null {
    this.refused[reason] += 1;
    return null;
  }

  /** An incarnation seals with one secret: the key that opened something is the only one then. */
  private unsealWith(session: Session, bytes: Uint8Array): Uint8Array | null {
    for (const key of session.keys) {
      const body = this.sealing.unseal(key, bytes);
      if (body === null) continue;
      session.keys = [key];
      return body;
    }
    return null;
  }
}
