/**
 * The links to and from each peer. A peer is alive as long as one link carries its heartbeats, so a
 * link that has gone silent, or is heard at one end only, would go unnoticed until the last one
 * goes too.
 *
 *      here   no heartbeat of the peer has come on the link for `failureMs`
 *      there  the peer says that none of ours has
 */
import type { ClusterEvent } from "../output.js";
import type { LinkHealth, Peer } from "./peers.js";
import type { Member } from "./view.js";

interface Known extends Member {
  readonly metMs: number;
  /** Bit sets of the links that carry. */
  readonly here: number;
  readonly there: number;
}

export class Paths {
  private known: Known[] = [];

  constructor(private readonly tell: (event: ClusterEvent) => void) {}

  /** Tells of each link that has gone silent or is back. @param patienceMs of a link in silence */
  watch(peers: readonly Peer[], patienceMs: number, now: number): void {
    const before = this.known;
    this.known = peers.map((peer) => {
      const { node, incarnation, links } = peer;
      const known = before.find((each) => each.node === node && each.incarnation === incarnation);
      const metMs = known?.metMs ?? now;
      const here = bitsOf(links, ({ heardMs }) => now - (heardMs ?? metMs) < patienceMs);
      const there = bitsOf(links, ({ isHeardThere }) => isHeardThere !== false);
      const current = { node, incarnation, metMs, here, there };
      if (known) this.compare(known, current, links.length);
      return current;
    });
  }

  private compare(before: Known, now: Known, links: number): void {
    for (const end of ["here", "there"] as const) {
      for (let link = 0; link < links; link++) {
        const bit = 1 << link;
        if ((before[end] & bit) === (now[end] & bit)) continue;
        const name = (now[end] & bit) === 0 ? "linkSilent" : "linkBack";
        this.tell({ name, node: now.node, link, end });
      }
    }
  }
}

function bitsOf(links: readonly LinkHealth[], carries: (link: LinkHealth) => boolean): number {
  return links.reduce((bits, each, link) => (carries(each) ? bits | (1 << link) : bits), 0);
}
