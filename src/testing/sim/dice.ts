import { type Random, seededRandom } from "../../platform/random.ts";

/** Chance with what a simulation asks of it. */
export class Dice {
  readonly random: Random;

  /** Dice of one purpose: what other dice of the seed throw has no influence on them. */
  constructor(seed: number, purpose: string) {
    let hash = 0x811c9dc5 ^ seed;
    for (let i = 0; i < purpose.length; i++) hash = Math.imul(hash ^ purpose.charCodeAt(i), 0x01000193);
    this.random = seededRandom(Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ seed);
  }

  /** True in this share of all cases. */
  chance(share: number): boolean {
    return this.random.next() < share;
  }

  /** A number from `least` to below `most`. */
  between(least: number, most: number): number {
    return least + this.random.next() * (most - least);
  }

  /** A whole number from `least` to `most`, both inside. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.random.next() * (most - least + 1));
  }

  /** A number between two positive ones of which the logarithm is even: small ones are as likely as large ones. */
  spread(least: number, most: number): number {
    return least * (most / least) ** this.random.next();
  }

  one<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.random.next() * items.length)] as Item;
  }
}
