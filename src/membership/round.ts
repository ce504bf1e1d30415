import type { Lease } from "../ports/leases.ts";
import { type Member, monotonic, type Slot, validUntil } from "./member.ts";
import { memberLeaseName, memberOf, memberPrefix, partitionPrefix } from "./names.ts";
import { chooseFree, type GroupView, shareOf } from "./share.ts";
import { lose, loseExpired, revoke, take } from "./slots.ts";

/** One look at the group: renew, compare the share, give back or take. Resolves with whether the member still waits for partitions. */
export async function playRound(member: Member, changed: () => void): Promise<{ readonly waiting: boolean }> {
  loseExpired(member, changed);
  if (member.phase === "joining") await takeOver(member);
  await releaseAbandoned(member);
  await renew(member, changed);
  if (isGoing(member)) return { waiting: false };
  if (!(await announce(member))) {
    for (const slot of working(member)) void revoke(member, slot, "rebalance", { changed });
    return { waiting: false };
  }
  return rebalance(member, changed);
}

/** Frees what an earlier start of this member id holds: its tokens are void from then on. */
async function takeOver(member: Member): Promise<void> {
  const { leases, group, memberId } = member.settings;
  const mine = (lease: Lease): boolean => memberOf(lease.owner) === memberId && lease.owner !== member.owner;
  const name = memberLeaseName(group, memberId);
  const selves = (await leases.list(name)).filter((lease) => lease.name === name && mine(lease));
  const owned = (await leases.list(partitionPrefix(group))).filter(mine);
  for (const lease of owned) member.preferred.add(lease.name);
  if (selves.length + owned.length > 0) await leases.release([...selves, ...owned]);
}

/** Gives away what we stopped to own by our own clock, so that it comes back, if so, with another token. */
async function releaseAbandoned(member: Member): Promise<void> {
  const leases = member.abandoned.splice(0);
  if (leases.length === 0) return;
  try {
    await member.settings.leases.release(leases);
  } catch (error) {
    member.abandoned.push(...leases);
    throw error;
  }
}

async function renew(member: Member, changed: () => void): Promise<void> {
  const { leases, ttlMs } = member.settings;
  const slots = [...member.slots.values()].filter(({ phase }) => phase !== "over");
  // A member that leaves has given up its own lease, or keeps it as it is for its next start.
  const self = member.phase === "leaving" ? undefined : member.self;
  if (!self && slots.length === 0) return;
  const askedAtMs = monotonic(member);
  const asked = [...(self ? [self] : []), ...slots.map(({ lease }) => lease)];
  const renewed = [...(await leases.renew(asked, ttlMs))];
  if (self) {
    const lease = renewed.shift();
    if (member.self === self) member.self = lease;
  }
  // What expired while we waited for the answer stays lost: it was not ours for a time.
  loseExpired(member, changed);
  slots.forEach((slot, index) => {
    const lease = renewed[index];
    if (slot.phase === "over") return;
    if (!lease) return lose(member, slot, changed, false);
    slot.lease = lease;
    slot.validUntilMs = validUntil(member, askedAtMs);
  });
}

/** Whether the group knows of us. Not when another member with this id is live: it came later, so it stays. */
async function announce(member: Member): Promise<boolean> {
  const { leases, group, memberId, ttlMs } = member.settings;
  if (member.self) return true;
  const [lease] = await leases.acquire([{ name: memberLeaseName(group, memberId), owner: member.owner, ttlMs }]);
  if (lease && isGoing(member)) {
    // An end meanwhile: the others must not count on it.
    member.abandoned.push(lease);
    await releaseAbandoned(member);
    return false;
  }
  member.self = lease;
  if (lease) {
    member.troubles.delete("self");
    return true;
  }
  member.troubles.set("self", `Another member of the group "${group}" with the id "${memberId}" is live.`);
  return false;
}

async function rebalance(member: Member, changed: () => void): Promise<{ readonly waiting: boolean }> {
  const { settings } = member;
  const live = (await settings.leases.list(memberPrefix(settings.group))).map(({ owner }) => memberOf(owner));
  const held = (await settings.leases.list(partitionPrefix(settings.group))).filter(({ name }) =>
    member.partitions.has(name),
  );
  const members = live.includes(settings.memberId) ? live : [...live, settings.memberId].sort();
  const share = shareOf(settings.memberId, viewOf(members, held, member.partitions.size));
  const mine = working(member);
  // The last ones taken go first: those that were here longest are warmest.
  for (const slot of mine.slice(Math.min(share, mine.length))) void revoke(member, slot, "rebalance", { changed });
  const wanted = share - mine.length;
  if (wanted <= 0) return { waiting: false };
  const free = chooseFree(freeOf(member, held), wanted, {
    rank: members.indexOf(settings.memberId),
    members: members.length,
    preferred: member.preferred,
  });
  const taken = await acquire(member, free, changed);
  return { waiting: taken < wanted };
}

const isGoing = ({ phase }: Member): boolean => phase === "leaving" || phase === "left";

function working(member: Member): Slot[] {
  return [...member.slots.values()].filter(({ phase }) => phase === "assigning" || phase === "owned");
}

function viewOf(members: readonly string[], held: readonly Lease[], partitions: number): GroupView {
  const counts = new Map<string, number>();
  for (const { owner } of held) counts.set(memberOf(owner), (counts.get(memberOf(owner)) ?? 0) + 1);
  return { members, held: counts, partitions };
}

/**
 * In the order the partitions were named, those that nobody holds and that we may try. What we have lost since this round
 * began is not among them: it has run out in the store, so we would get it with the token that it had.
 */
function freeOf(member: Member, held: readonly Lease[]): string[] {
  const nowMs = monotonic(member);
  const taken = new Set([...held, ...member.abandoned].map(({ name }) => name));
  return [...member.partitions.keys()].filter((name) => {
    const refused = (member.refused.get(name)?.untilMs ?? Number.NEGATIVE_INFINITY) > nowMs;
    return !taken.has(name) && !member.slots.has(name) && !refused;
  });
}

async function acquire(member: Member, names: readonly string[], changed: () => void): Promise<number> {
  const { leases, ttlMs } = member.settings;
  if (names.length === 0) return 0;
  const askedAtMs = monotonic(member);
  const leased = await leases.acquire(names.map((name) => ({ name, owner: member.owner, ttlMs })));
  const got = leased.filter((lease) => lease !== undefined);
  const late = monotonic(member) >= validUntil(member, askedAtMs);
  if (late || isGoing(member)) {
    // Too old an answer, or an end meanwhile: nothing of it was ever used.
    member.abandoned.push(...got);
    await releaseAbandoned(member);
    return 0;
  }
  for (const lease of got) {
    member.refused.delete(lease.name);
    take(member, lease, validUntil(member, askedAtMs), changed);
  }
  return got.length;
}
