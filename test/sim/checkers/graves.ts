/**
 * C3: what was said before a flow ended does not bring it back. Digests would find it, and repair
 * it: in quiet nothing would be left of it to be seen.
 */
import type { Follower } from "../../../src/cluster/broadcast/broadcast.js";
import type { Op } from "../../../src/cluster/flows/ops.js";
import type { PeerFlows } from "../../../src/cluster/flows/peer.js";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import type { FlowSync } from "../../../src/cluster/flows/sync.js";
import type { Tombstone } from "../../../src/cluster/flows/tombstones.js";
import { isNewer } from "../../../src/cluster/flows/version.js";
import { TOMBSTONE_MS } from "../../../src/cluster/limits.js";
import type { Machine } from "../machine.js";
import { type Checker, Violation } from "../watch.js";

export class Graves implements Checker {
  readonly invariant = "C3";

  onSync(machine: Machine, flows: FlowSync): void {
    const stones = new Map<string, Tombstone>();
    const { tombstones } = flows.shelf;
    const set = tombstones.set.bind(tombstones);
    tombstones.set = (key, stone) => {
      stones.set(key, stone);
      set(key, stone);
    };
    const forget = tombstones.delete.bind(tombstones);
    tombstones.delete = (key) => {
      stones.delete(key);
      forget(key);
    };
    const { replica } = flows;
    const onOp = replica.onOp.bind(replica);
    replica.onOp = (peer, known, op, now) => {
      const isPut = op.op === "put";
      const key = isPut ? keyOf(op.record) : "";
      const stone = isPut ? stones.get(key) : undefined;
      const isNew = isPut && flows.shelf.table.get(key) === undefined;
      const hasDrifted = onOp(peer, known, op, now);
      const isBack = isPut && stone && isNew && flows.shelf.table.get(key) !== undefined;
      if (isBack && isRisen(flows, peer, known, op, stone, now)) {
        const what = `flow of port ${op.record.original.srcPort}, which had ended later`;
        throw new Violation("C3", `node ${machine.id} takes back a ${what}`);
      }
      return hasDrifted;
    };
  }
}

/** Whether a flow is back by a statement older than its end, and not by its owner's whole word. */
function isRisen(
  flows: FlowSync,
  peer: Follower,
  { section }: PeerFlows,
  { version, record: { bucket } }: Extract<Op, { op: "put" }>,
  stone: Tombstone,
  now: number,
): boolean {
  if (now - stone.atMs >= TOMBSTONE_MS || isNewer(version, stone.version)) return false;
  return section?.bucket !== bucket || !flows.ledger.isHolder(bucket, peer.node);
}
