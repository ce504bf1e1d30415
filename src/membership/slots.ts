import type { Lease } from "../ports/leases.ts";
import { type Member, messageOf, monotonic, type Slot, touchHint } from "./member.ts";
import type { PartitionRef } from "./names.ts";
import type { RevokeReason } from "./options.ts";

/** Begins to own a partition. `changed` is called when the slot ends by itself. */
export function take(member: Member, lease: Lease, validUntilMs: number, changed: () => void): Slot {
  const partition = member.partitions.get(lease.name) as PartitionRef;
  const slot: Slot = {
    partition,
    lease,
    phase: "assigning",
    validUntilMs,
    begun: false,
    assigned: Promise.resolve(),
    ending: undefined,
  };
  member.slots.set(lease.name, slot);
  member.settings.log.info({ ...partition, token: lease.token }, "partition assigned");
  slot.assigned = assign(member, slot, changed);
  return slot;
}

async function assign(member: Member, slot: Slot, changed: () => void): Promise<void> {
  const { settings, refused } = member;
  try {
    await settings.onAssigned(slot.partition, slot.lease);
    slot.begun = true;
    if (slot.phase === "assigning") slot.phase = "owned";
  } catch (error) {
    const { topic, partition } = slot.partition;
    const why = `Partition ${partition} of topic "${topic}" could not be begun: ${messageOf(error)}`;
    settings.log.warn({ ...slot.partition, error }, "partition could not be begun");
    refused.set(slot.lease.name, { untilMs: monotonic(member) + settings.heartbeatMs, why });
    // Somebody else may be ending it already, who then waits for this promise and must not be waited for.
    if (slot.ending) return;
    slot.phase = "draining";
    slot.ending = finish(member, slot, changed);
  }
}

/** Drains a partition and releases it, or keeps the lease for the next start of this member. Resolves when that is done. */
export function revoke(
  member: Member,
  slot: Slot,
  reason: Exclude<RevokeReason, "lost">,
  options: { readonly changed: () => void; readonly keepLease?: boolean },
): Promise<void> {
  if (slot.ending) return slot.ending;
  slot.phase = "draining";
  return (slot.ending = (async () => {
    await stopWork(member, slot, reason);
    await finish(member, slot, options.changed, options.keepLease);
  })());
}

/** Stops a partition that is no longer ours. `abandon`: the store may think that it still is, so it is released soon. */
export function lose(member: Member, slot: Slot, changed: () => void, abandon: boolean): void {
  const working = slot.phase === "assigning" || slot.phase === "owned";
  slot.phase = "over";
  if (abandon) member.abandoned.push(slot.lease);
  member.settings.log.warn({ ...slot.partition, token: slot.lease.token }, "partition lost");
  if (!working || slot.ending) return;
  slot.ending = (async () => {
    await stopWork(member, slot, "lost");
    await finish(member, slot, changed);
  })();
}

/** Ends what the own clock says has ended, whatever the store will say. */
export function loseExpired(member: Member, changed: () => void): void {
  const nowMs = monotonic(member);
  for (const slot of member.slots.values()) {
    if (slot.phase !== "over" && nowMs >= slot.validUntilMs) lose(member, slot, changed, true);
  }
}

/** Waits for `onRevoked`, and no longer than the drain deadline. */
async function stopWork(member: Member, slot: Slot, reason: RevokeReason): Promise<void> {
  const { settings } = member;
  const drained = await within(member, async () => {
    // A partition that was never begun needs no end.
    await slot.assigned;
    if (slot.begun) await settings.onRevoked(slot.partition, slot.lease, reason);
  });
  if (drained !== true) settings.log.warn({ ...slot.partition, reason, error: drained }, "partition did not drain");
  else settings.log.info({ ...slot.partition, reason }, "partition revoked");
}

/** Removes the slot, releasing its lease if it is ours still. */
async function finish(member: Member, slot: Slot, changed: () => void, keepLease = false): Promise<void> {
  const held = slot.phase === "draining";
  slot.phase = "over";
  if (held && !keepLease) {
    const released = await within(member, () => member.settings.leases.release([slot.lease]));
    if (released !== true) member.abandoned.push(slot.lease);
    touchHint(member);
  }
  if (member.slots.get(slot.lease.name) === slot) member.slots.delete(slot.lease.name);
  changed();
}

/** True when the work ended in time; otherwise why it did not. The work goes on by itself then. */
export function within(member: Member, work: () => Promise<unknown> | void): Promise<unknown> {
  const { clock } = member.settings.platform;
  const { drainTimeoutMs } = member.settings;
  return new Promise((resolve) => {
    const late = (): void => resolve(new Error(`Not done within ${drainTimeoutMs} ms.`));
    // Whoever has given up waiting may end the process meanwhile.
    const cancel = clock.after(drainTimeoutMs, late, true);
    const settle = (outcome: unknown): void => {
      cancel();
      resolve(outcome);
    };
    Promise.resolve()
      .then(work)
      .then(() => settle(true), settle);
  });
}
