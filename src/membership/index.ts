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
