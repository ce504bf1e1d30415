/** Chance as the rest of tidings sees it. */
export interface Random {
  /** A number at least 0 and below 1. */
  next(): number;
  /** A whole number of 32 random bits. */
  uint32(): number;
}

/**
 * A seeded generator: the same seed gives the same numbers on every machine. Not for secrets.
 * Algorithm: Marsaglia's xorshift family in the form sfc32 (Chris Doty-Humphrey, PractRand).
 */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9 ^ seed;
  let b = 0x243f6a88;
  let c = 0xb7e15162 ^ (seed >>> 7);
  let counter = 1;
  const uint32 = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) uint32();
  return { uint32, next: () => uint32() / 0x1_0000_0000 };
}
