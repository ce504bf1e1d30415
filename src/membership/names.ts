/** One partition of a topic. */
export interface PartitionRef {
  readonly topic: string;
  readonly partition: number;
}

/** The lease by which a member says that it lives. */
export function memberLeaseName(group: string, memberId: string): string {
  return `${memberPrefix(group)}${memberId}`;
}

/** What the names of all members of the group begin with, and of no other group. */
export function memberPrefix(group: string): string {
  return `member/${escaped(group)}/`;
}

/** The lease by which a member owns a partition. */
export function partitionLeaseName(group: string, { topic, partition }: PartitionRef): string {
  return `${partitionPrefix(group)}${topic}/${partition}`;
}

/** What the names of all partitions of the group begin with. */
export function partitionPrefix(group: string): string {
  return `partition/${escaped(group)}/`;
}

/**
 * The owner that leases are taken for: the member and which start of it this is. Two starts with one member id
 * are two owners, so that the leases change hands between them and the tokens of the earlier one are fenced.
 */
export function ownerOf(memberId: string, incarnation: string): string {
  return `${memberId}#${incarnation}`;
}

/** The member id in an owner. */
export function memberOf(owner: string): string {
  return owner.slice(0, owner.lastIndexOf("#"));
}

/** A slash in a group's name must not make it look like another group. */
function escaped(group: string): string {
  return group.replaceAll("%", "%25").replaceAll("/", "%2F");
}
