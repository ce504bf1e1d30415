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
export { type Assignment, type Group, joinGroup } from "./group.ts";
export { type MembershipHint, stateHint } from "./hint.ts";
export {
  memberLeaseName,
  memberOf,
  memberPrefix,
  type PartitionRef,
  partitionLeaseName,
  partitionPrefix,
} from "./names.ts";
export type { GroupLog, GroupOptions, RevokeReason } from "./options.ts";
