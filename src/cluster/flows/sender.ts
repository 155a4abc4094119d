/** What this node says about flows in a tick, and in which order. */
import type { Broadcast } from "../broadcast/broadcast.js";
import { encodeRepair } from "../frame/repair.js";
import { FRAMES_PER_TICK } from "../limits.js";
import type { Author } from "./author.js";
import type { DigestRounds } from "./digest-rounds.js";
import type { FlowOutput } from "./output.js";
import type { Packer } from "./packer.js";
import type { Peers } from "./peers.js";
import type { Replica } from "./replica.js";
import type { Sections } from "./sections.js";

export interface SenderParts {
  readonly broadcast: Broadcast;
  readonly packer: Packer;
  readonly author: Author;
  readonly rounds: DigestRounds;
  readonly sections: Sections;
  readonly peers: Peers;
  readonly replica: Replica;
  out(output: FlowOutput): void;
}

export class Sender {
  constructor(private readonly parts: SenderParts) {}

  /** Changes first, then digests, then tables: what is new must not wait for what is old. */
  send(tableFrames: number, now: number): void {
    const { packer, author, rounds, sections } = this.parts;
    packer.frames = 0;
    author.tell(FRAMES_PER_TICK, now);
    rounds.fill(FRAMES_PER_TICK, now);
    sections.fill(packer.frames + tableFrames);
    packer.flush();
  }

  /** Asks the owners of buckets that have drifted to send them again. */
  askRepairs(now: number): void {
    const { replica, broadcast, peers, out } = this.parts;
    if (replica.drifted.size === 0) return;
    for (const peer of broadcast.peers()) {
      const buckets = replica.driftedOf(peer.node);
      if (buckets.length === 0 || !peers.mayAsk(peer, now)) continue;
      out({ kind: "send", body: encodeRepair(peer, buckets) });
    }
  }
}
