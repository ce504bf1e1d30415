import type { Random } from "../../platform/random.ts";

/** Shuffles in place by Fisher and Yates. */
export function shuffle<Item>(items: Item[], random: Random): Item[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    const item = items[i] as Item;
    items[i] = items[j] as Item;
    items[j] = item;
  }
  return items;
}

/**
 * A random order of the items in which two that share a slot keep theirs. `slots` names what an item
 * touches; undefined means everything: such an item stays behind all before it and before all behind it.
 */
export function shuffleFreely<Item>(
  items: readonly Item[],
  slots: (item: Item) => readonly string[] | undefined,
  random: Random,
): Item[] {
  if (items.length < 2) return [...items];
  const ordered: Item[] = [];
  let segment: Item[] = [];
  let touched: (readonly string[])[] = [];
  const flush = (): void => {
    if (segment.length < 2) ordered.push(...segment);
    else extend(ordered, segment, touched, random);
    segment = [];
    touched = [];
  };
  for (const item of items) {
    const mine = slots(item);
    if (mine) {
      segment.push(item);
      touched.push(mine);
    } else {
      flush();
      ordered.push(item);
    }
  }
  flush();
  return ordered;
}

/** Appends a random linear extension of the segment's partial order. */
function extend<Item>(
  ordered: Item[],
  segment: readonly Item[],
  touched: readonly (readonly string[])[],
  random: Random,
): void {
  const lastOf = new Map<string, number>();
  const followers: number[][] = segment.map(() => []);
  const blockers: number[] = segment.map(() => 0);
  touched.forEach((slots, index) => {
    for (const slot of slots) {
      const before = lastOf.get(slot);
      if (before !== undefined && before !== index) {
        followers[before]?.push(index);
        blockers[index] = (blockers[index] as number) + 1;
      }
      lastOf.set(slot, index);
    }
  });
  const ready = [...segment.keys()].filter((index) => blockers[index] === 0);
  while (ready.length > 0) {
    const pick = Math.floor(random.next() * ready.length);
    const index = ready[pick] as number;
    ready[pick] = ready[ready.length - 1] as number;
    ready.pop();
    ordered.push(segment[index] as Item);
    for (const follower of followers[index] as number[]) {
      blockers[follower] = (blockers[follower] as number) - 1;
      if (blockers[follower] === 0) ready.push(follower);
    }
  }
}
