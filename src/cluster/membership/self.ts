/** What a node knows and wants of itself: identity, state, and why it might not serve. */
import type { State } from "../frame/kind.js";
import type { ClusterInputs, ClusterSettings } from "../settings.js";
import { mayServe } from "./isolation.js";
import { nextState } from "./lifecycle.js";
import type { Identity } from "./peers.js";

/** What `Self` has to be told of the others. */
export interface Surroundings {
  /** Live peers that share the settings that all must share. */
  readonly peers: number;
  /** Whether an active peer differs in a setting that all must share. */
  readonly isForeign: boolean;
  readonly ownsBuckets: boolean;
}

export class Self {
  readonly identity: Identity;
  state: State = "joining";
  isDrainWanted = false;
  /** Reasons found by this node's own checks, such as a lost carrier. */
  unfit: readonly string[] = [];
  probeOk = false;
  /** Peers that were in sight and have not said that they leave. */
  readonly known = new Set<number>();
  private listenUntilMs = 0;

  constructor(
    private readonly settings: ClusterSettings,
    private readonly inputs: ClusterInputs,
  ) {
    this.identity = { node: settings.id, incarnation: 0n, challenge: 0n };
  }

  /** A new incarnation, which has to listen before it takes part. */
  restart(now: number): void {
    this.state = "joining";
    this.identity.incarnation = this.inputs.random();
    this.listenUntilMs = now + this.settings.joinMs;
    this.renewChallenge();
  }

  /** Makes worthless what anybody has echoed so far. */
  renewChallenge(): void {
    this.identity.challenge = this.inputs.random();
  }

  get isActive(): boolean {
    return this.state === "active";
  }

  /** A draining node still serves what nobody has taken from it. */
  get isServing(): boolean {
    return this.state === "active" || this.state === "draining";
  }

  /** Whether it stays active as long as nothing changes. @param peers live ones in sight */
  isContent(peers: number): boolean {
    const isLeaving = this.isDrainWanted || this.unfit.length > 0;
    return this.isActive && !isLeaving && this.mayServe(peers);
  }

  /** Whether the isolation rule lets it serve with so many live peers in sight. */
  mayServe(peers: number): boolean {
    return mayServe({
      rule: this.settings.isolation,
      inSight: peers + 1,
      size: this.settings.size,
      knewPeers: this.known.size > 0,
      probeOk: this.probeOk,
    });
  }

  next(around: Surroundings, now: number): State {
    const mayServe = this.mayServe(around.peers);
    // Whoever was out of sight no longer knows who owns what: it listens again first.
    if (!mayServe) this.listenUntilMs = now + this.settings.joinMs;
    return nextState(this.state, {
      isLeaving: this.isDrainWanted || this.unfit.length > 0,
      hasListened: now >= this.listenUntilMs,
      isForeign: around.isForeign,
      mayServe,
      isSynced: this.inputs.isSynced?.() ?? true,
      ownsBuckets: around.ownsBuckets,
    });
  }

  /** Why this node is not active, or would rather not be; empty when all is well. */
  reasons(around: Surroundings): string[] {
    const reasons = [...this.unfit];
    if (this.isDrainWanted) reasons.push("drain was asked for");
    if (!this.mayServe(around.peers)) reasons.push(`isolated: ${this.settings.isolation}`);
    if (around.isForeign && !this.isServing) reasons.push("active peers have other settings");
    return reasons;
  }
}
