// What a service keeps of the events of each key, in a document: which it has handled, in the order in which it has.

/** Numbers in the order in which they came, as ranges: 0, 1, 2, 5 and 3 are [0, 2], [5, 5] and [3, 3]. */
export type Seen = readonly (readonly [from: number, to: number])[];

/** With one number more. */
export function withNumber(seen: Seen = [], seq: number): Seen {
  const last = seen.at(-1);
  return last && seq === last[1] + 1 ? [...seen.slice(0, -1), [last[0], seq]] : [...seen, [seq, seq]];
}

/** Every number, in the order in which they came. */
export function numbersOf(seen: Seen): number[] {
  return seen.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
}
