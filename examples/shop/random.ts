// Chance that can be repeated: the same seed gives the same orders and the same faults, on every machine.

/** A number from 0 up to 1 that depends on the text alone. FNV-1a, then murmur3's last mix to spread neighbours. */
export function chanceOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** A stream of chance. */
export interface Dice {
  /** From 0 up to 1. */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  pick<Value>(values: readonly Value[]): Value;
}

/** A stream of chance from a seed: a counter, hashed. */
export function dice(seed: number | string): Dice {
  let count = 0;
  const next = (): number => chanceOf(`${seed}/${count++}`);
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return { next, between, pick: (values) => values[between(0, values.length - 1)] as (typeof values)[number] };
}
