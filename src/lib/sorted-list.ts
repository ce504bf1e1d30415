/** Answers below 0 when `a` stands before `b`, above 0 when behind, and 0 when they are the same item. */
export type Compare<Item> = (a: Item, b: Item) => number;

/** Distinct items kept in order: adding and deleting stay fast with a million items. */
export interface SortedList<Item> {
  size(): number;
  /** Adds an item; the same one again replaces the first. */
  add(item: Item): void;
  /** Whether the item was there. */
  delete(item: Item): boolean;
  /** The items at or after `start`, or all, in order. The list must not change meanwhile. */
  from(start?: Item): IterableIterator<Item>;
}

/** Compares strings by UTF-16 code units. */
export const byCodeUnits: Compare<string> = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/** Items per chunk before it is split. Moving so many is about as dear as looking for the place. */
const chunkMax = 512;

/** Creates an empty list. Items lie in sorted chunks, so that an insertion moves one chunk and not everything. */
export function sortedList<Item>(compare: Compare<Item>): SortedList<Item> {
  const chunks: Item[][] = [];
  let size = 0;
  const chunkOf = (item: Item): number => lowerBound(chunks, (chunk) => compare(chunk[chunk.length - 1] as Item, item));

  return {
    size: () => size,
    add(item) {
      if (chunks.length === 0) {
        size = chunks.push([item]);
        return;
      }
      const at = Math.min(chunkOf(item), chunks.length - 1);
      const chunk = chunks[at] as Item[];
      const index = lowerBound(chunk, (other) => compare(other, item));
      const same = index < chunk.length && compare(chunk[index] as Item, item) === 0;
      chunk.splice(index, same ? 1 : 0, item);
      if (same) return;
      size++;
      if (chunk.length > chunkMax) chunks.splice(at + 1, 0, chunk.splice(chunkMax >>> 1));
    },
    delete(item) {
      const at = chunkOf(item);
      const chunk = chunks[at];
      if (!chunk) return false;
      const index = lowerBound(chunk, (other) => compare(other, item));
      if (compare(chunk[index] as Item, item) !== 0) return false;
      chunk.splice(index, 1);
      size--;
      if (chunk.length === 0) chunks.splice(at, 1);
      return true;
    },
    *from(start) {
      const first = start === undefined ? 0 : chunkOf(start);
      for (let at = first; at < chunks.length; at++) {
        const chunk = chunks[at] as Item[];
        let index = at === first && start !== undefined ? lowerBound(chunk, (other) => compare(other, start)) : 0;
        for (; index < chunk.length; index++) yield chunk[index] as Item;
      }
    },
  };
}

/** The first index whose item does not stand before what is looked for; the length when all do. */
export function lowerBound<Item>(items: readonly Item[], order: (item: Item) => number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (order(items[middle] as Item) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
