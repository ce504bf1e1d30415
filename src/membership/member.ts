import type { CancelTimer } from "../platform/clock.ts";
import type { Lease } from "../ports/leases.ts";
import { ownerOf, type PartitionRef, partitionLeaseName } from "./names.ts";
import { type GroupOptions, type GroupSettings, settingsOf } from "./options.ts";

/** A partition on its way through the member. */
export interface Slot {
  readonly partition: PartitionRef;
  lease: Lease;
  /**
   * `assigning` and `owned`: may be worked on. `draining`: being given back, its lease still renewed. `over`: the lease is
   * gone, or on its way to the store to be released, and nothing is done about it any more.
   */
  phase: "assigning" | "owned" | "draining" | "over";
  /** By the monotonic clock: until when nobody else can own it. */
  validUntilMs: number;
  /** `onAssigned` has resolved. */
  begun: boolean;
  /** Resolves when `onAssigned` has settled. */
  assigned: Promise<void>;
  /** Resolves when the slot is gone; undefined while nobody ends it. */
  ending: Promise<void> | undefined;
}

/** Everything a member knows. */
export interface Member {
  readonly settings: GroupSettings;
  readonly owner: string;
  /** By lease name, in the order they were named. */
  readonly partitions: ReadonlyMap<string, PartitionRef>;
  /** By lease name, in the order they were taken. */
  readonly slots: Map<string, Slot>;
  phase: "joining" | "live" | "leaving" | "left";
  /** The lease that says that this member lives. */
  self: Lease | undefined;
  /** Leases we let go of while they were ours in the store, perhaps. */
  readonly abandoned: Lease[];
  /** What an earlier start of this member owned. */
  readonly preferred: Set<string>;
  /** Partitions whose `onAssigned` rejected: why, and until when not to try again, by the monotonic clock. */
  readonly refused: Map<string, { readonly untilMs: number; readonly why: string }>;
  readonly troubles: Map<"store" | "self", string>;
  /** The round under way and when it began. */
  round: { readonly done: Promise<void>; readonly beganMs: number } | undefined;
  /** Another round was asked for meanwhile. */
  roundAgain: boolean;
  cancelHeartbeat: CancelTimer | undefined;
  cancelWatchdog: CancelTimer | undefined;
  cancelHint: (() => void) | undefined;
  leaving: Promise<void> | undefined;
}

/** A member that has not announced itself. */
export function createMember(options: GroupOptions): Member {
  const settings = settingsOf(options);
  return {
    settings,
    owner: ownerOf(settings.memberId, settings.platform.ids.next()),
    partitions: new Map(
      settings.partitions.map((ref) => [partitionLeaseName(settings.group, ref), Object.freeze({ ...ref })]),
    ),
    slots: new Map(),
    phase: "joining",
    self: undefined,
    abandoned: [],
    preferred: new Set(),
    refused: new Map(),
    troubles: new Map(),
    round: undefined,
    roundAgain: false,
    cancelHeartbeat: undefined,
    cancelWatchdog: undefined,
    cancelHint: undefined,
    leaving: undefined,
  };
}

/** Monotonic time. */
export function monotonic(member: Member): number {
  return member.settings.platform.clock.monotonic();
}

/**
 * Until when a lease that was asked for at this moment is safe: it runs in the store from later on, so it ends
 * there later; the last tenth is left for stopping.
 */
export function validUntil(member: Member, askedAtMs: number): number {
  return askedAtMs + Math.floor(member.settings.ttlMs * 0.9);
}

/** Whether the partition may be worked on at this moment. */
export function usable(member: Member, slot: Slot): boolean {
  return (slot.phase === "assigning" || slot.phase === "owned") && monotonic(member) < slot.validUntilMs;
}

/** Tells the others, if there is a way; whether it works is not worth waiting for. */
export function touchHint({ settings }: Member): void {
  settings.hint?.touch().catch(() => undefined);
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
