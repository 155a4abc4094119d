/** Whether a node may serve that has lost sight of others. Death looks the same as a cut cable. */
export type Isolation = "serve" | "yield" | "majority" | "probe";

export interface IsolationFacts {
  readonly rule: Isolation;
  /** Live nodes in sight, this one included. */
  readonly inSight: number;
  /** Nodes the whole cluster has, for `majority`. */
  readonly size: number;
  /** Whether a peer was ever in sight that did not say it leaves. */
  readonly knewPeers: boolean;
  /** Whether a probed gateway answers, for `probe`. */
  readonly probeOk: boolean;
}

/** `serve`: always; `majority`: more than half in sight; the others: not when left alone. */
export function mayServe(facts: IsolationFacts): boolean {
  const isIsolated = facts.knewPeers && facts.inSight === 1;
  switch (facts.rule) {
    case "serve":
      return true;
    case "yield":
      return !isIsolated;
    case "probe":
      return !isIsolated || facts.probeOk;
    case "majority":
      return facts.inSight * 2 > facts.size;
  }
}
