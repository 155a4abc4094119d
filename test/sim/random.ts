/** Chance by seed. Each part of a run draws from a stream of its own, so that they do not mix. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ (seed >>> 13);
  }

  /** Evenly from [0, 1): mulberry32, small, and good enough to choose faults. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** Exponential, as delays and lifetimes are. */
  around(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }

  u32(): number {
    return Math.floor(this.next() * 2 ** 32);
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** Some members of a list, at least one and not all of them where there are two or more. */
  some<T>(list: readonly T[]): T[] {
    const shuffled = [...list].map((item) => ({ item, order: this.next() }));
    shuffled.sort((a, b) => a.order - b.order);
    return shuffled.slice(0, 1 + this.below(Math.max(1, list.length - 1))).map(({ item }) => item);
  }
}
