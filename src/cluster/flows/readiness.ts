/** What the ranges layer has to know of the flows, told when it changes. */
import type { Follower } from "../broadcast/broadcast.js";
import type { Ledger } from "./ledger.js";
import type { FlowOutput } from "./output.js";
import type { Peers } from "./peers.js";
import type { Residence } from "./residence.js";

export interface ReadinessParts {
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly residence: Residence | null;
  followers(): readonly Follower[];
  out(output: FlowOutput): void;
}

export class Readiness {
  private ready: Uint8Array;
  /** What it was found from; it stays the same as long as these do. */
  private caughtUp: readonly number[] = [];
  private changes = -1;
  private isSynced: boolean | null = null;

  constructor(private readonly parts: ReadinessParts) {
    this.ready = parts.ledger.ready(() => false);
  }

  /** The ranges layer begins anew: to it nothing is ready. */
  forget(): void {
    this.ready.fill(0);
    this.changes = -1;
    this.isSynced = null;
    this.parts.residence?.forget();
  }

  /** Whether the tables of all peers are here. */
  tellSynced(): void {
    const { peers, followers, out } = this.parts;
    const isSynced = peers.areSettled(followers());
    if (isSynced !== this.isSynced) out({ kind: "synced", isSynced });
    this.isSynced = isSynced;
  }

  /** Whether what {@link tellReady} tells may have changed. */
  get isOld(): boolean {
    return this.parts.ledger.changes !== this.changes || !isSame(this.whoCaughtUp(), this.caughtUp);
  }

  /** Which buckets have their flows here as their owner stated them, and who that is. */
  tellReady(): void {
    if (!this.isOld) return;
    const { ledger, out } = this.parts;
    const caughtUp = this.whoCaughtUp();
    this.changes = ledger.changes;
    this.caughtUp = caughtUp;
    const ready = ledger.ready((node) => caughtUp.includes(node));
    if (ready.every((owner, bucket) => owner === this.ready[bucket])) return;
    this.ready = ready;
    out({ kind: "ready", owners: ready.slice() });
  }

  /** Says that what was told last is so still. @param atMs of the question */
  answer(atMs: number): void {
    this.tellReady();
    this.parts.out({ kind: "answer", atMs });
  }

  private whoCaughtUp(): number[] {
    const { peers, followers } = this.parts;
    const caughtUp: number[] = [];
    for (const peer of followers()) if (peers.isCaughtUp(peer)) caughtUp.push(peer.node);
    return caughtUp;
  }

  /** Which buckets have their flows in the kernel, where that is not so with all. */
  tellUsable(): void {
    const usable = this.parts.residence?.change();
    if (usable) this.parts.out({ kind: "usable", ...usable });
  }
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((each, index) => each === b[index]);
}
