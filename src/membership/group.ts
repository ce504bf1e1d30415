/**
 * How the members of a group share its partitions by leases, on engines that do not assign partitions themselves.
 *
 * - A member announces itself by the lease `member/<group>/<member>` and owns a partition by `partition/<group>/<topic>/<n>`.
 *   There is no leader: each member compares what it owns with its share and gives back or takes.
 * - Safety rests on tokens alone: every commit carries the partition's fence. Clocks only decide how soon somebody stops
 *   or takes over, and a partition that was given up, by whichever clock, never comes back with the token it had.
 * - Each start of a member is an owner of its own, so that a static member id may take over from its earlier start at once
 *   and fences it by doing so.
 */
import type { Lease } from "../ports/leases.ts";
import { createMember, type Member, messageOf, monotonic, touchHint, usable } from "./member.ts";
import { type PartitionRef, partitionLeaseName } from "./names.ts";
import type { GroupOptions } from "./options.ts";
import { playRound } from "./round.ts";
import { loseExpired, revoke, within } from "./slots.ts";

/** A partition that this member owns, with the lease whose token fences its commits. */
export interface Assignment {
  readonly partition: PartitionRef;
  readonly lease: Lease;
}

/** Membership in a group. */
export interface Group {
  /** What may be worked on at this moment, in the order it was assigned. */
  assignment(): readonly Assignment[];
  /**
   * Whether the partition may be worked on at this moment. To be asked before each piece of work: after a pause of
   * the process it says no before any timer could.
   */
  owns(partition: PartitionRef): boolean;
  /** Looks at the group now; resolves when that is done. */
  rebalanceNow(): Promise<void>;
  /**
   * Drains and releases everything; then others may go on. `returning`: the leases are kept for the next start of this
   * member id, which others wait for until they expire. Never rejects, calling it twice is fine.
   */
  leave(options?: { readonly returning?: boolean }): Promise<void>;
  /** Lets go of everything now, whatever has not drained: its tokens are void from then on. Never rejects. */
  abandon(): Promise<void>;
  /** What keeps this member from its work; undefined when nothing does. */
  trouble(): string | undefined;
}

/**
 * Joins the members that share the partitions by leases. Resolves after the first look at the group: what was free is
 * owned and its `onAssigned` has settled. A store that fails does not reject it: see `trouble`.
 */
export async function joinGroup(options: GroupOptions): Promise<Group> {
  const member = createMember(options);
  member.cancelHint = options.hint?.watch(() => void askRound(member));
  await askRound(member);
  if (member.self) touchHint(member);
  await Promise.all([...member.slots.values()].map(({ assigned }) => assigned));
  return {
    assignment: () =>
      [...member.slots.values()]
        .filter((slot) => usable(member, slot))
        .map(({ partition, lease }) => ({ partition, lease })),
    owns(partition) {
      const slot = member.slots.get(partitionLeaseName(member.settings.group, partition));
      return slot !== undefined && usable(member, slot);
    },
    rebalanceNow: () => askRound(member),
    leave: ({ returning = false } = {}) => (member.leaving ??= leave(member, returning)),
    abandon: () => abandon(member),
    trouble: () => troubleOf(member),
  };
}

/** Runs a round, or one more after the one that is under way: its view may be older than the reason to look. */
function askRound(member: Member): Promise<void> {
  if (member.phase === "left") return Promise.resolve();
  if (member.round) {
    member.roundAgain = true;
    return member.round.done;
  }
  member.cancelHeartbeat?.();
  const done = runRounds(member);
  member.round = { done, beganMs: monotonic(member) };
  return done;
}

/** Never rejects: a store that fails is asked again soon, and what cannot be renewed meanwhile is lost in time. */
async function runRounds(member: Member): Promise<void> {
  const { platform, heartbeatMs, hint, log } = member.settings;
  const changed = (): void => void askRound(member);
  let delayMs = heartbeatMs;
  do {
    member.roundAgain = false;
    try {
      const { waiting } = await playRound(member, changed);
      if (member.phase === "joining") member.phase = "live";
      member.troubles.delete("store");
      // Without hints nobody tells when a peer has released what we wait for.
      delayMs = waiting && !hint ? heartbeatMs / 8 : heartbeatMs;
    } catch (error) {
      member.troubles.set("store", `The leases could not be renewed: ${messageOf(error)}`);
      log.warn({ group: member.settings.group, error }, "heartbeat failed");
      delayMs = heartbeatMs / 4;
      member.roundAgain = false;
    }
    watchExpiry(member);
  } while (member.roundAgain);
  member.round = undefined;
  if (hasLeft(member)) return;
  member.cancelHeartbeat = platform.clock.after(delayMs, () => void askRound(member));
}

/** Rings when the first partition expires by our own clock, in case the store does not answer until then. */
function watchExpiry(member: Member): void {
  member.cancelWatchdog?.();
  const ends = [...member.slots.values()].filter(({ phase }) => phase !== "over").map((slot) => slot.validUntilMs);
  if (ends.length === 0 || member.phase === "left") return;
  const ring = (): void => {
    loseExpired(member, () => void askRound(member));
    watchExpiry(member);
  };
  member.cancelWatchdog = member.settings.platform.clock.after(Math.ceil(Math.min(...ends) - monotonic(member)), ring);
}

async function leave(member: Member, keepLease: boolean): Promise<void> {
  member.phase = "leaving";
  member.cancelHint?.();
  const changed = (): void => undefined;
  const { self } = member;
  const gone =
    self && !keepLease
      ? within(member, () => member.settings.leases.release([self])).then(() => touchHint(member))
      : undefined;
  await Promise.all([...member.slots.values()].map((slot) => revoke(member, slot, "leave", { changed, keepLease })));
  await gone;
  await within(member, () => member.round?.done);
  if (hasLeft(member)) return;
  end(member);
  touchHint(member);
}

/** No timer of the member is left, and no round begins any more. */
function end(member: Member): void {
  member.phase = "left";
  member.cancelHint?.();
  member.cancelHeartbeat?.();
  member.cancelWatchdog?.();
}

const hasLeft = (member: Member): boolean => member.phase === "left";

async function abandon(member: Member): Promise<void> {
  if (hasLeft(member)) return;
  end(member);
  const open = [...member.slots.values()].filter(({ phase }) => phase !== "over");
  for (const slot of open) slot.phase = "over";
  const leases = [...(member.self ? [member.self] : []), ...open.map(({ lease }) => lease)];
  await within(member, () => member.settings.leases.release(leases));
  touchHint(member);
}

function troubleOf(member: Member): string | undefined {
  const { round, troubles, settings } = member;
  const silentMs = round ? monotonic(member) - round.beganMs : 0;
  if (silentMs > settings.ttlMs / 2)
    return `The store has not answered about the group "${settings.group}" for ${Math.round(silentMs)} ms.`;
  const refused = [...member.refused.values()].find(({ untilMs }) => monotonic(member) < untilMs + settings.ttlMs);
  return troubles.get("store") ?? troubles.get("self") ?? refused?.why;
}
