import type { StoredRecord } from "../../event/record.ts";
import type { TimerWrite } from "../../ports/transaction.ts";
import type { GuardNotes } from "../guards/entrance.ts";
import type { Guard } from "../guards/guard.ts";
import type { HeldEntry } from "../held/held-entry.ts";
import type { Lane } from "./lane.ts";
import type { DeliveryPolicy } from "../policy.ts";
import type { AttemptRecord, Counts, Tries } from "../records.ts";
import type { Route } from "../service.ts";
import type { Settlement } from "../commit/settlement.ts";
import type { UnitDelivery, UnitOfWork, UnitWrites } from "../unit-of-work.ts";

/** A route with the policy that holds for it. */
export interface ResolvedRoute extends Route {
  readonly policy: DeliveryPolicy;
  /** What lets its deliveries start: the subscription's own guard, and those of the dependencies it uses. */
  readonly guards: readonly Guard[] | undefined;
}

/** Who is told what became of a delivery's commit. */
export interface DeliveryOwner {
  committed(delivery: Delivery): void;
  conflicted(delivery: Delivery, changed: string): void;
  refused(delivery: Delivery, error: unknown): void;
}

/** Tries of a delivery that has not failed yet. */
export const noTries: Tries = Object.freeze({
  failures: 0,
  stalls: 0,
  deliveries: 0,
  attempts: Object.freeze([]),
});

/** One event on its way through one handler: a settlement once it has ended. A class, because millions of them are made. */
export class Delivery implements Settlement, UnitDelivery {
  readonly record: StoredRecord;
  readonly route: ResolvedRoute;
  readonly owner: DeliveryOwner;
  /** Where it waits its turn; undefined while it runs as a held event. */
  lane: Lane | undefined;
  held: HeldEntry | undefined;
  tries: Tries = noTries;
  conflicts = 0;
  /** The hot document of which it is this delivery's turn. */
  hot: string | undefined;
  unit: UnitOfWork | undefined;
  guarded: GuardNotes | undefined;
  /** True when an earlier delivery of the lane must run again: what this one did is thrown away. */
  discarded = false;
  /** It may have killed a process: it runs alone, and only a death under that run is held against it. */
  suspect = false;
  /** What its own commit failed with; it fails with this instead of running. */
  commitError: unknown;

  /** What remembers the event's identity in the inbox, when there is one. */
  identity: TimerWrite | undefined;

  // As a settlement
  as: keyof Counts = "handled";
  counts: Partial<Counts> | undefined;
  writes: UnitWrites | undefined;
  durable = true;

  constructor(record: StoredRecord, route: ResolvedRoute, owner: DeliveryOwner) {
    this.record = record;
    this.route = route;
    this.owner = owner;
  }

  get position(): number {
    return this.held || this.as === "unknown" ? -1 : this.record.position;
  }
  get attempt(): number {
    return this.tries.deliveries + 1;
  }
  laneCommitted(collection: string, key: string): Promise<void> | undefined {
    return this.lane?.writtenBy(collection, key);
  }
  committed(): void {
    this.owner.committed(this);
  }
  conflicted(changed: string): void {
    this.conflicts += 1;
    this.owner.conflicted(this, changed);
  }
  refused(error: unknown): void {
    this.owner.refused(this, error);
  }
}

/** Notes one more failure. */
export function withFailure(tries: Tries, attempt: AttemptRecord): Tries {
  return {
    failures: tries.failures + 1,
    stalls: tries.stalls,
    deliveries: tries.deliveries + 1,
    attempts: [...tries.attempts, attempt].slice(-20),
    firstFailedAtMs: tries.firstFailedAtMs ?? attempt.atMs,
  };
}

/** At most once, what has begun and could not be committed fails with that. Were it held instead, it would begin again. */
export function isGivenUp(delivery: Delivery | undefined): boolean {
  return delivery?.as === "unknown" && delivery.commitError !== undefined;
}
