/**
 * The view: who is active, as this node sees it, and the epoch of that opinion.
 *
 * The epoch is a Lamport clock. It rises above everything heard with each change of the own view,
 * and is raised to what is heard, so that nodes of equal view come to equal epochs. What rests on
 * that is written in ranges/release.ts.
 */
export interface Member {
  readonly node: number;
  readonly incarnation: bigint;
}

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** FNV-1a over node ids and incarnations, in 64-bit steps. Equal views have equal hashes. */
export function viewHash(members: readonly Member[]): bigint {
  let hash = FNV_OFFSET;
  for (const { node, incarnation } of members) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(node)) * FNV_PRIME);
    hash = BigInt.asUintN(64, (hash ^ incarnation) * FNV_PRIME);
  }
  return hash;
}

export class View {
  epoch = 0;
  hash = viewHash([]);
  /** Sorted ids of the members. */
  ids: readonly number[] = [];
  private members: readonly Member[] = [];

  /** Takes the members of now. Returns whether the view has changed, and with it the epoch. */
  change(members: readonly Member[]): boolean {
    const sorted = members.map(({ node, incarnation }) => ({ node, incarnation }));
    sorted.sort((a, b) => a.node - b.node);
    if (isSame(sorted, this.members)) return false;
    this.members = sorted;
    this.hash = viewHash(sorted);
    this.ids = sorted.map((member) => member.node);
    this.epoch += 1;
    return true;
  }

  /** Raises the epoch to one heard from a peer. */
  hear(epoch: number): void {
    this.epoch = Math.max(this.epoch, epoch);
  }
}

function isSame(a: readonly Member[], b: readonly Member[]): boolean {
  if (a.length !== b.length) return false;
  return a.every(({ node, incarnation }, index) => {
    return node === b[index].node && incarnation === b[index].incarnation;
  });
}
