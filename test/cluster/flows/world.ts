/**
 * Several nodes with their kernels on virtual time; a run depends on its seed alone.
 *
 * Membership and ranges are played by the world, as the control thread would: a dead node is
 * noticed after 200 ms and its buckets go to the survivors; a newcomer claims bucket by bucket what
 * FlowSync calls ready, and the old owner lets go a moment later.
 */
import type { Flow, Replicated } from "../../../src/cluster/flows/record.js";
import { type FlowSettings, flowSettings } from "../../../src/cluster/flows/settings.js";
import { FlowSync } from "../../../src/cluster/flows/sync.js";
import { addBucket, emptyBitmap } from "../../../src/cluster/ranges/bitmap.js";
import { type Box, FlowNet } from "./net.js";

const FAILURE_MS = 200;

export class FlowWorld extends FlowNet {
  private epoch = 1;
  private incarnations = 0n;

  constructor(
    seed: number,
    readonly buckets = 16,
    readonly settings: Partial<FlowSettings> = {},
  ) {
    super(seed);
  }

  add(id: number): Box {
    const box: Box = {
      ...{ id, incarnation: 0n, sync: null, kernel: new Map(), events: [], owned: new Set() },
      ...{ isDeaf: false, hasLost: false, ready: () => false, isSynced: false, sent: 0 },
      ...{ bodies: 0, sees: new Map(), told: [], released: [], onArm: () => {} },
    };
    this.boxes.push(box);
    this.start(box);
    return box;
  }

  start(box: Box): void {
    this.incarnations += 1n;
    box.incarnation = this.incarnations;
    box.owned = new Set();
    box.sent = 0;
    box.sees.clear();
    const first = 2 ** 32 - 100 + Number(this.incarnations % 7n);
    const random32 = () => first;
    const { buckets, settings } = this;
    box.sync = new FlowSync(
      flowSettings({ node: box.id, buckets, random32, ...settings }),
      this.now,
    );
    this.act(box, (sync) => sync.onSelf({ node: box.id, incarnation: box.incarnation }, this.now));
    for (const other of this.live()) if (other !== box) this.introduce(box, other);
    if (this.live().length === 1) this.at(300, () => this.giveAll(box));
  }

  crash(box: Box): void {
    box.sync = null;
    box.events = [];
    box.kernel.clear();
    const { incarnation } = box;
    this.at(FAILURE_MS, () => this.bury(box, incarnation));
  }

  /** Two nodes lose sight of each other, and nothing passes between them. */
  part(a: Box, b: Box): void {
    const isBetween = (x: Box, y: Box) => (x === a && y === b) || (x === b && y === a);
    this.passes = (from, to) => !isBetween(from, to);
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const) {
      this.act(x, (sync) => sync.onPeerDown({ node: y.id, incarnation: y.incarnation }, this.now));
      x.sees.delete(y.id);
    }
  }

  join(a: Box, b: Box): void {
    this.passes = () => true;
    this.introduce(a, b);
  }

  owners(bucket: number): Box[] {
    return this.live().filter(({ owned }) => owned.has(bucket));
  }

  /** Keys of the flows that the owners' kernels have and that are not over, sorted. */
  union(): string[] {
    const keys = new Set<string>();
    for (const box of this.live()) {
      for (const [key, record] of box.kernel) {
        if (box.owned.has(record.bucket) && !isOver(record)) keys.add(key);
      }
    }
    return [...keys].sort();
  }

  kernelKeys(box: Box): string[] {
    return [...box.kernel].flatMap(([key, record]) => (isOver(record) ? [] : [key])).sort();
  }

  tableKeys(box: Box): string[] {
    return [...(box.sync?.shelf.table.all() ?? [])].map(({ key }) => key).sort();
  }

  /** What differs from the union of the owners' flows, in words; empty when all agree. */
  differences(): string[] {
    const union = this.union();
    return this.live().flatMap((box) => [
      ...differ(`table of ${box.id}`, this.tableKeys(box), union),
      ...differ(`kernel of ${box.id}`, this.kernelKeys(box), union),
      ...this.digestsOf(box),
    ]);
  }

  /** Makes `owned` what the ranges layer would make it, and tells. */
  own(box: Box, owned: Iterable<number>): void {
    box.owned = new Set(owned);
    const bitmap = emptyBitmap(this.buckets);
    for (const bucket of box.owned) addBucket(bitmap, bucket);
    this.act(box, (sync) => sync.onRange(bitmap, this.epoch, this.now));
  }

  private digestsOf(box: Box): string[] {
    const first = this.live()[0];
    return Array.from({ length: this.buckets }, (_, bucket) => bucket).flatMap((bucket) => {
      const [a, b] = [first, box].map(({ sync }) =>
        JSON.stringify(sync?.shelf.table.digest(bucket)),
      );
      return a === b ? [] : [`digest of bucket ${bucket}: ${first.id} and ${box.id} differ`];
    });
  }

  private introduce(a: Box, b: Box): void {
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const) {
      const { id, incarnation } = y;
      this.at(10 + this.random() * 60, () => {
        if (!y.sync || y.incarnation !== incarnation || !x.sync || x.sees.get(id)) return;
        x.sees.set(id, incarnation);
        this.act(x, (sync) => sync.onPeerUp({ node: id, incarnation }, this.now));
      });
    }
  }

  private bury(dead: Box, incarnation: bigint): void {
    this.epoch += 1;
    for (const box of this.live()) {
      if (box.sees.get(dead.id) !== incarnation) continue;
      box.sees.delete(dead.id);
      this.act(box, (sync) => sync.onPeerDown({ node: dead.id, incarnation }, this.now));
      if (dead.sync) this.introduce(box, dead);
    }
    this.giveOrphans();
  }

  private giveOrphans(): void {
    const heirs = this.live().filter(({ isSynced, owned }) => isSynced || owned.size > 0);
    if (heirs.length === 0) return;
    for (let bucket = 0; bucket < this.buckets; bucket++) {
      if (this.owners(bucket).length > 0) continue;
      const heir = heirs[bucket % heirs.length];
      this.own(heir, [...heir.owned, bucket]);
    }
  }

  private giveAll(box: Box): void {
    if (this.live().every(({ owned }) => owned.size === 0)) {
      this.own(
        box,
        Array.from({ length: this.buckets }, (_, bucket) => bucket),
      );
    }
  }

  /** One planned step of each node that has less than its share. */
  protected override moveRanges(): void {
    this.giveOrphans();
    for (const box of this.live()) {
      if (!box.isSynced) continue;
      const share = Math.floor(this.buckets / this.live().length);
      const rich = this.live().find(({ owned }) => owned.size > share + 1);
      if (!rich || box.owned.size >= share || box.sees.get(rich.id) !== rich.incarnation) continue;
      const bucket = [...rich.owned].find((each) => this.mayMove(each, box));
      if (bucket === undefined) continue;
      this.own(box, [...box.owned, bucket]);
      this.at(1 + this.random() * 60, () => {
        if (rich.sync)
          this.own(
            rich,
            [...rich.owned].filter((each) => each !== bucket),
          );
      });
    }
  }

  /** One handover of a bucket at a time, and only of flows that are here. */
  private mayMove(bucket: number, to: Box): boolean {
    return this.owners(bucket).length === 1 && to.ready(bucket);
  }
}

export function isOver(record: Replicated): boolean {
  return (record as Flow).state === "over";
}

function differ(name: string, have: readonly string[], want: readonly string[]): string[] {
  const [had, wanted] = [new Set(have), new Set(want)];
  const more = have.filter((key) => !wanted.has(key)).length;
  const less = want.filter((key) => !had.has(key)).length;
  return more + less > 0 ? [`${name}: ${more} too many, ${less} missing of ${want.length}`] : [];
}
