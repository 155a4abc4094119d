/**
 * Chance by seed: sfc32 of PractRand (Chris Doty-Humphrey, public domain). Four words of state, no
 * multiplication, nothing allocated; a run depends on its seed alone.
 */
const HASH_VALUES = 2 ** 32;
/** Rounds until the seed has reached all of the state, as its author gives them. */
const WARM_UP = 12;

export class Random {
  private a: number;
  private b = 0;
  private c = 0;
  private counter = 1;

  /** @param seed uint32 */
  constructor(seed: number) {
    this.a = seed | 0;
    for (let round = 0; round < WARM_UP; round++) this.word();
  }

  /** A uint32. */
  word(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A whole number from 0 to `bound` - 1. */
  below(bound: number): number {
    return Math.floor((this.word() * bound) / HASH_VALUES);
  }
}
