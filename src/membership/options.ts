import { TidingsError } from "../errors/tidings-error.ts";
import { checkName } from "../event/names.ts";
import type { Platform } from "../platform/platform.ts";
import type { Lease, Leases } from "../ports/leases.ts";
import type { MembershipHint } from "./hint.ts";
import type { PartitionRef } from "./names.ts";

/** Why a partition is taken from its member. */
export type RevokeReason = "rebalance" | "lost" | "leave";

/** Where the group says what it does; the shape of pino. */
export interface GroupLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** How to take part in a group. */
export interface GroupOptions {
  readonly leases: Leases;
  readonly platform: Platform;
  /** Name of the group: the subscription. */
  readonly group: string;
  /**
   * Unique among the members that live at once. One that stays the same over restarts (static) gets its
   * partitions back without waiting; of two that live with one id the later one wins.
   */
  readonly memberId: string;
  /** What the group shares. All members must name the same partitions. */
  readonly partitions: readonly PartitionRef[];
  /** How long a member that fell silent keeps its partitions. */
  readonly ttlMs?: number;
  /** How often leases are renewed; a third of `ttlMs` unless given. */
  readonly heartbeatMs?: number;
  /** How long a partition may drain before its lease is released all the same. */
  readonly drainTimeoutMs?: number;
  /**
   * The partition is owned and consumption may begin. When it rejects, the partition is given
   * back without `onRevoked` and tried again a heartbeat later.
   */
  onAssigned(partition: PartitionRef, lease: Lease): Promise<void> | void;
  /**
   * Stop, drain and commit. For `rebalance` and `leave` the lease is renewed until this resolves or the drain
   * deadline passes, and only then released; for `lost` it is gone already, and commits with its token
   * fail. Called once for each `onAssigned`, after that has resolved: a partition whose lease is
   * lost while it drains is not revoked a second time.
   */
  onRevoked(partition: PartitionRef, lease: Lease, reason: RevokeReason): Promise<void> | void;
  /** Tells members of each other without waiting for a heartbeat, see `stateHint`. */
  readonly hint?: MembershipHint;
  readonly log?: GroupLog;
}

/** Options with nothing left open. */
export type GroupSettings = GroupOptions &
  Required<Pick<GroupOptions, "ttlMs" | "heartbeatMs" | "drainTimeoutMs" | "log">>;

const silent: GroupLog = { info: () => undefined, warn: () => undefined };

/** Fills in defaults and refuses what cannot work. */
export function settingsOf(options: GroupOptions): GroupSettings {
  const { ttlMs = 10_000, heartbeatMs = Math.round(ttlMs / 3), drainTimeoutMs = 30_000, log = silent } = options;
  checkName("member", options.memberId);
  if (!(heartbeatMs > 0 && heartbeatMs <= ttlMs / 2)) {
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `heartbeatMs must be above 0 and at most half of ttlMs (${ttlMs}), not ${heartbeatMs}: one late heartbeat must not cost the partitions.`,
    );
  }
  return { ...options, ttlMs, heartbeatMs, drainTimeoutMs, log };
}
