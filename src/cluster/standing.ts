/**
 * A node's standing in the cluster: own state, peers, view and range, and how each follows from the
 * others. node.ts decides when; this file decides what.
 *
 *      peers die, change state --> view --> own state --> range
 */
import type { Heartbeat } from "./frame/heartbeat.js";
import type { State } from "./frame/kind.js";
import { SENT_REPEAT_BEATS } from "./limits.js";
import { Paths } from "./membership/paths.js";
import { Patience } from "./membership/patience.js";
import { type Peer, PeerTable } from "./membership/peers.js";
import { Self, type Surroundings } from "./membership/self.js";
import { type Member, View } from "./membership/view.js";
import type { Outbox } from "./outbox.js";
import { bitmapOf, emptyBitmap, isSame } from "./ranges/bitmap.js";
import { Holding } from "./ranges/holding.js";
import type { ClusterInputs, ClusterSettings } from "./settings.js";

export class Standing {
  readonly self: Self;
  readonly peers: PeerTable;
  readonly view = new View();
  readonly holding: Holding;
  private readonly paths: Paths;
  private readonly patience: Patience;
  /** Whether the own state changed since the peers were last told. */
  hasNews = false;
  /** Whether something has changed that the next step of the own life depends on. */
  hasChanged = true;
  /** Whether `drained` is still owed to whoever asked for the drain. */
  owesDrained = false;
  /** Since when a drain finds nobody who may take over; null: there is somebody. */
  private aloneSinceMs: number | null = null;

  constructor(
    private readonly settings: ClusterSettings,
    inputs: ClusterInputs,
    private readonly out: Outbox,
    now: number,
  ) {
    this.self = new Self(settings, inputs);
    this.peers = new PeerTable(settings.links, () => emptyBitmap(settings.buckets));
    this.holding = new Holding(settings, inputs, out, now);
    this.paths = new Paths((event) => out.tell(event));
    this.patience = new Patience(settings.heartbeatMs, now);
  }

  /** Whether there is something to do before the next heartbeat is due. */
  get isUnderWay(): boolean {
    const { self, holding } = this;
    const isContent = self.isContent(this.surroundings().peers);
    return this.hasChanged || this.hasNews || !isContent || holding.isUnderWay;
  }

  /** Forgets everybody and begins as a new incarnation; the range must have been given up. */
  restart(now: number): void {
    this.self.restart(now);
    this.peers.clear();
    const { node, incarnation } = this.self.identity;
    this.out.up({ kind: "self", self: { node, incarnation } });
    this.holding.lease.beat(now);
    this.enter("joining");
  }

  /** Takes in a peer that shares the settings that all must share. */
  welcome(peer: Peer): void {
    const { node, incarnation } = peer;
    this.self.known.add(node);
    this.hasChanged = true;
    this.out.up({ kind: "peerUp", peer: { node, incarnation } });
  }

  /**
   * Hands a body to the layers above; false when it is not of a live, compatible peer. So a
   * recorded body of a dead incarnation goes nowhere.
   */
  lift(from: Member, body: Uint8Array): boolean {
    if (!this.peers.find(from)?.isCompatible) return false;
    this.out.up({ kind: "body", from, body });
    return true;
  }

  /** Takes the number of a peer's newest frame, 0 for none; passes on what may be news. */
  hearSent(peer: Peer, sequence: number): void {
    peer.sentBeats += 1;
    if (sequence === 0) return;
    if (sequence === peer.sent && peer.sentBeats < SENT_REPEAT_BEATS) return;
    peer.sent = sequence;
    peer.sentBeats = 0;
    const { node, incarnation } = peer;
    this.out.up({ kind: "sent", from: { node, incarnation }, sequence });
  }

  /** Takes a peer's claim; false when it names buckets that there are not. */
  obey(peer: Peer, beat: Heartbeat): boolean {
    const last = beat.runs.at(-1)?.[1] ?? 0;
    if (last >= this.settings.buckets) return false;
    peer.epoch = beat.epoch;
    peer.viewHash = beat.viewHash;
    const claim = bitmapOf(beat.runs, this.settings.buckets);
    if (!isSame(claim, peer.claim)) this.hasChanged = true;
    peer.claim = claim;
    this.view.hear(beat.epoch);
    this.changeView();
    this.holding.yieldTo({ ...peer, buckets: peer.claim }, this.view);
    return true;
  }

  /** Takes leave of peers that are dead or gone, and takes over what falls to this node. */
  bury(dead: readonly Peer[], cause: "silent" | "left", now: number): void {
    for (const peer of dead) this.dismiss(peer);
    this.self.renewChallenge();
    this.checkIsolation();
    this.changeView();
    this.watch(now);
    for (const peer of dead) {
      const { node, claim, heardMs } = peer;
      const takenOver = this.self.isActive ? this.holding.takeOver(claim, this.view, now) : 0;
      this.out.tell({ name: "nodeDown", node, cause, silentMs: now - heardMs, takenOver });
    }
  }

  /** Takes one step of the own life, if it is time, and what nobody else has taken. */
  advance(now: number): void {
    this.hasChanged = false;
    this.checkIsolation();
    const state = this.self.next(this.surroundings(), now);
    if (state !== this.self.state) this.enter(state);
    if (this.self.isDrainWanted && state === "draining") this.finishDrain(now);
    this.watch(now);
    if (this.self.isActive) {
      this.holding.takeUncovered(this.view, now);
      this.holding.ask(this.view, now);
    }
    this.holding.want(this.view, this.self.isActive);
    this.holding.admit(now);
  }

  /** Takes leave of peers that were silent for too long, if this node may judge. */
  judgeSilence(now: number): void {
    if (!this.patience.mayJudge(now)) return;
    const { failureMs } = this.settings;
    this.peers.forgetCandidates(now - failureMs);
    const silent = this.peers.silentSince(now - failureMs);
    if (silent.length > 0) this.bury(silent, "silent", now);
    this.paths.watch(this.peers.all(), failureMs, now);
  }

  /** When silence has to be looked at again. */
  nextLook(now: number): number {
    return this.patience.nextLook(this.peers.silentMs + this.settings.failureMs, now);
  }

  /** Brings the view in line with what is known of the peers and with the own state. */
  changeView(): void {
    const members: Member[] = this.peers
      .all()
      .filter((peer) => peer.isCompatible && peer.state === "active");
    if (this.self.isActive) members.push(this.self.identity);
    if (!this.view.change(members)) return;
    this.hasChanged = true;
    this.out.tell({ name: "view", epoch: this.view.epoch, members: this.view.ids });
  }

  /** Why this node is not active, or would rather not be; empty when all is well. */
  reasons(): string[] {
    return this.self.reasons(this.surroundings());
  }

  private dismiss(peer: Peer): void {
    const { node, incarnation, isCompatible } = peer;
    this.peers.remove(peer);
    this.hasChanged = true;
    if (isCompatible) this.out.up({ kind: "peerDown", peer: { node, incarnation } });
  }

  private enter(state: State): void {
    this.self.state = state;
    this.aloneSinceMs = null;
    this.hasNews = true;
    this.out.tell({ name: "state", state, reasons: this.reasons() });
    this.changeView();
  }

  /** A node that may not serve gives up at once, rather than by handover: nobody is there. */
  private checkIsolation(): void {
    if (!this.self.isServing || this.self.mayServe(this.surroundings().peers)) return;
    this.holding.stop("yield");
    this.enter("joining");
  }

  /**
   * Says `drained` once. With nobody left to take over, the rest is simply given up. A peer that
   * has not taken its leave gets failureMs to be heard again: a few lost beats look like a death.
   */
  private finishDrain(now: number): void {
    const mayInherit = (peer: Peer) => peer.isCompatible && peer.state !== "draining";
    if (this.peers.all().some(mayInherit)) this.aloneSinceMs = null;
    else this.aloneSinceMs ??= now;
    if (this.aloneSinceMs !== null) {
      const isOver = now - this.aloneSinceMs >= this.settings.failureMs;
      if (isOver || this.self.known.size === 0) this.holding.dropAll("drain");
    }
    if (!this.holding.keeper.isIdle || !this.owesDrained) return;
    this.owesDrained = false;
    this.out.push({ kind: "drained" });
  }

  private watch(now: number): void {
    const claims = this.peers.all().map((peer) => peer.claim);
    this.holding.keeper.watch(claims, now, this.self.isActive);
  }

  private surroundings(): Surroundings {
    const peers = this.peers.all();
    return {
      peers: peers.filter((peer) => peer.isCompatible).length,
      isForeign: peers.some((peer) => !peer.isCompatible && peer.state === "active"),
      ownsBuckets: !this.holding.keeper.isIdle,
    };
  }
}
