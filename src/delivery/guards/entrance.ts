import type { Clock } from "../../platform/clock.ts";
import type { Tries } from "../records.ts";
import type { CallingRun } from "./call.ts";
import type { Guard, Pass } from "./guard.ts";

/** What a delivery that stands or stood before guards has to do with them. */
export class GuardNotes implements CallingRun {
  /** What this run was let through with. */
  passes: Pass[] | undefined = undefined;
  refusedBy: Guard | undefined = undefined;
  blamed: Guard | undefined = undefined;
  /** Calls that were made in this run. */
  calls = 0;
  /** A guard that a handler calls without saying so in `uses`: the delivery waits for it as well. */
  waitsFor: Guard | undefined = undefined;
  /** Monotonic time since when it waits. */
  since: number | undefined = undefined;

  /** Another run begins. */
  begin(): void {
    this.refusedBy = undefined;
    this.blamed = undefined;
    this.calls = 0;
  }
}

/** Something that may start when its guards let it through. */
export interface Guarded {
  readonly route: { readonly guards: readonly Guard[] | undefined };
  guarded: GuardNotes | undefined;
  tries: Tries;
}

/** How a run has ended. */
export type RunEnd = "handled" | "failed" | "unknown";

/** The first guard that does not let it through; undefined when all do. */
export function refusing({ route, guarded }: Pick<Guarded, "route"> & Partial<Guarded>): Guard | undefined {
  const waitsFor = guarded?.waitsFor;
  if (waitsFor && !waitsFor.admits()) return waitsFor;
  return route.guards?.find((guard) => !guard.admits());
}

/**
 * Whether it has to wait: then `wake` is called when it is worth asking again. `who` waits once at each guard. It has passed
 * none of them.
 */
export function mustWait(delivery: Guarded, clock: Clock, who: object, wake: () => void): boolean {
  const guard = refusing(delivery);
  const notes = (delivery.guarded ??= new GuardNotes());
  if (!guard) return false;
  notes.since ??= clock.monotonic();
  guard.wait(who, wake);
  return true;
}

/** Whether it may start now; it has passed its guards then. The time that it has waited counts for nothing when its age is looked at. */
export function admit(delivery: Guarded, clock: Clock, who: object, wake: () => void): boolean {
  if (mustWait(delivery, clock, who, wake)) return false;
  const notes = delivery.guarded as GuardNotes;
  if (notes.since !== undefined) delivery.tries = younger(delivery.tries, clock.monotonic() - notes.since);
  notes.since = undefined;
  const { waitsFor } = notes;
  const guards = delivery.route.guards ?? [];
  notes.passes = (waitsFor && !guards.includes(waitsFor) ? [waitsFor, ...guards] : guards).map((one) => one.enter());
  return true;
}

/** It waits no more: whoever is woken in its place would let what is there go by. */
export function stopWaiting(who: object, guards: readonly Guard[] | undefined): void {
  for (const { waiters } of guards ?? []) waiters.delete(who);
}

/** Whether it may start now, without waiting for it. */
export function enterNow(delivery: Guarded, clock: Clock): boolean {
  if (!delivery.route.guards && !delivery.guarded) return true;
  return refusing(delivery) === undefined && admit(delivery, clock, delivery, () => undefined);
}

function younger(tries: Tries, byMs: number): Tries {
  if (tries.firstFailedAtMs === undefined) return tries;
  return { ...tries, firstFailedAtMs: tries.firstFailedAtMs + byMs };
}

/** Tells the guards that a run has ended. */
export function leave({ guarded }: Guarded, end: RunEnd, error?: unknown): void {
  const passes = guarded?.passes;
  if (!guarded || !passes) return;
  guarded.passes = undefined;
  for (const { guard, probe, token } of passes) {
    const { breaker, rate } = guard;
    if (!guard.own) {
      if (token !== undefined) rate?.giveBack(token);
    } else if (end === "handled") breaker?.succeeded(probe);
    else if (end === "failed" && guarded.refusedBy === undefined && guard.blames(error)) breaker?.failed(probe, error);
    if (probe) breaker?.inconclusive(probe);
  }
}

/**
 * The guard for which a failed run waits, instead of using up an attempt: one that has refused a call, or a dependency that
 * failed in it and is now known to be down.
 */
export function waitsAfter({ guarded }: Guarded): Guard | undefined {
  if (!guarded) return undefined;
  const { refusedBy, blamed } = guarded;
  if (refusedBy) return refusedBy;
  return blamed?.breaker && !blamed.breaker.isClosed() ? blamed : undefined;
}
