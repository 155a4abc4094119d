/** The private parts of a node that checkers look at and mutants change. */

import type { Arrival } from "../../src/cluster/membership/peers.js";
import type { Member } from "../../src/cluster/membership/view.js";
import type { ClusterNode } from "../../src/cluster/node.js";
import type { Standing } from "../../src/cluster/standing.js";

export interface NodeParts {
  readonly standing: Standing;
  readonly beats: { readonly tick: number };
  halt: string;
  onMessage(from: Member, body: Uint8Array, arrival: Arrival): void;
}

export function partsOf(node: ClusterNode): NodeParts {
  return node as unknown as NodeParts;
}
