/** What a member knows of its group when it works out its share. */
export interface GroupView {
  /** Live members. */
  readonly members: readonly string[];
  /** How many partitions each member holds; absent means none. */
  readonly held: ReadonlyMap<string, number>;
  /** How many partitions there are. */
  readonly partitions: number;
}

/**
 * How many partitions the member should own: an equal share, and one more for the members that hold most as
 * long as the division leaves any. Members with the same view get shares that add up, and who holds its share
 * keeps it, so that nothing moves without need.
 */
export function shareOf(memberId: string, { members, held, partitions }: GroupView): number {
  if (members.length === 0) return 0;
  const share = Math.floor(partitions / members.length);
  const left = partitions % members.length;
  return share + (rankOf(memberId, members, held) < left ? 1 : 0);
}

function rankOf(memberId: string, members: readonly string[], held: ReadonlyMap<string, number>): number {
  const count = (member: string): number => held.get(member) ?? 0;
  const mine = count(memberId);
  return members.filter((member) => count(member) > mine || (count(member) === mine && member < memberId)).length;
}

/**
 * Which of the free partitions to take. Members begin at different places in the list, so that those
 * who look at the same moment do not all reach for the same ones.
 */
export function chooseFree(
  free: readonly string[],
  wanted: number,
  place: { readonly rank: number; readonly members: number; readonly preferred: ReadonlySet<string> },
): readonly string[] {
  const begin = Math.floor((free.length * Math.max(0, place.rank)) / Math.max(1, place.members));
  const turned = [...free.slice(begin), ...free.slice(0, begin)];
  const before = turned.filter((name) => place.preferred.has(name));
  const others = turned.filter((name) => !place.preferred.has(name));
  return [...before, ...others].slice(0, Math.max(0, wanted));
}
