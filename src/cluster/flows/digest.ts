/**
 * The digest of a bucket: how many records, and a 64-bit sum of their hashes, kept up to date with
 * each change. A sum does not depend on order, and a record is taken out as it was put in.
 *
 * The hash mixes (murmur3's constants) and hides nothing: it finds drift, not forgery.
 */
import type { Digest } from "./ops.js";
import type { Version } from "./version.js";

const SEEDS = [0x9747b28c, 0x1b873593] as const;
const MIX_A = 0xcc9e2d51;
const MIX_B = 0x85ebca6b;
const MIX_C = 0xc2b2ae35;

/** A 32-bit hash of a packed record and its version. */
function lane(seed: number, packed: string, { term, writer, sequence }: Version): number {
  let hash = step(step(seed, term), writer);
  hash = step(step(hash, sequence % 2 ** 32), Math.floor(sequence / 2 ** 32));
  for (let at = 0; at < packed.length; at++) hash = step(hash, packed.charCodeAt(at));
  hash = Math.imul(hash ^ (hash >>> 16), MIX_B);
  hash = Math.imul(hash ^ (hash >>> 13), MIX_C);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function step(hash: number, value: number): number {
  const mixed = Math.imul(value + 1, MIX_A);
  const turned = hash ^ ((mixed << 15) | (mixed >>> 17));
  return (Math.imul((turned << 13) | (turned >>> 19), 5) + 0xe6546b64) | 0;
}

export class Digests {
  private readonly flows: Uint32Array;
  private readonly sums: readonly [Uint32Array, Uint32Array];

  constructor(buckets: number) {
    this.flows = new Uint32Array(buckets);
    this.sums = [new Uint32Array(buckets), new Uint32Array(buckets)];
  }

  add(bucket: number, packed: string, version: Version): void {
    this.flows[bucket] += 1;
    this.sums[0][bucket] += lane(SEEDS[0], packed, version);
    this.sums[1][bucket] += lane(SEEDS[1], packed, version);
  }

  /** Takes out what was put in; computed again, since a kept hash costs more than that. */
  remove(bucket: number, packed: string, version: Version): void {
    this.flows[bucket] -= 1;
    this.sums[0][bucket] -= lane(SEEDS[0], packed, version);
    this.sums[1][bucket] -= lane(SEEDS[1], packed, version);
  }

  of(bucket: number): Digest {
    const sums = [this.sums[0][bucket], this.sums[1][bucket]] as const;
    return { flows: this.flows[bucket], sums };
  }
}

export function isSameDigest(a: Digest, b: Digest): boolean {
  return a.flows === b.flows && a.sums[0] === b.sums[0] && a.sums[1] === b.sums[1];
}
