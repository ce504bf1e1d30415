import type { App } from "../../app/app.ts";
import { isTidingsError } from "../../errors/tidings-error.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Leases } from "../../ports/leases.ts";
import type { Dice } from "./dice.ts";
import type { FaultKind } from "./fault-kinds.ts";
import type { SimNode } from "./node.ts";
import type { Scheduler } from "./scheduler.ts";

/** What operators work on. */
export interface Operated {
  readonly scheduler: Scheduler;
  /** Names of the subscriptions. */
  readonly subscriptions: readonly string[];
  /** Names of those that may be moved: the others cannot tell a repetition. */
  readonly movable: readonly string[];
  /** Keys that events have. */
  readonly keys: () => readonly string[];
  /** An engine that never fails. */
  readonly observer: Engine;
  /** Somebody was answered by an error that is none of ours. */
  readonly unexpected: (what: string, error: unknown) => void;
}

/** Kinds of faults that are deeds of operators. */
export type OperatorKind = Extract<
  FaultKind,
  "steal" | "redrive" | "discard" | "undo-discard" | "pause-subscription" | "pause-key" | "seek"
>;

/** Does something through the application of a node; false when there was nothing to do it to. */
export async function operate(
  kind: OperatorKind,
  node: SimNode,
  operated: Operated,
  dice: Dice,
  forMs: number,
): Promise<boolean> {
  const { scheduler } = operated;
  if (kind === "steal") return steal(operated, dice);
  const { app } = node;
  if (!app || (kind === "seek" && operated.movable.length === 0)) return false;
  const untilMs = dice.chance(0.5) ? (node.clock?.now() ?? 0) + Math.round(forMs) : undefined;
  const what = deedOf(kind, app, operated, dice, untilMs);
  const outcome = await settled(what.done, node, scheduler);
  if (outcome instanceof Error && !isTidingsError(outcome)) operated.unexpected(kind, outcome);
  if (what.undo && untilMs === undefined) {
    await scheduler.sleep(forMs);
    await settled(what.undo(), node, scheduler);
  }
  return true;
}

interface Deed {
  readonly done: Promise<unknown>;
  readonly undo?: () => Promise<unknown>;
}

// oxlint-disable-next-line typescript/consistent-return -- each kind has its case
function deedOf(
  kind: Exclude<OperatorKind, "steal">,
  app: App,
  { subscriptions, movable, keys }: Operated,
  dice: Dice,
  untilMs: number | undefined,
): Deed {
  const { admin } = app;
  const subscription = dice.one(subscriptions);
  const until = untilMs === undefined ? {} : { untilMs };
  const pausing = { reason: "simulated", ...until };
  switch (kind) {
    case "redrive":
      return { done: admin.deadLetters.redrive(dice.chance(0.5) ? {} : { subscription }) };
    case "discard":
      return { done: admin.deadLetters.discard({ subscription }, { limit: dice.whole(1, 3) }) };
    case "undo-discard": {
      const limit = { limit: dice.whole(1, 6) };
      const once = (): Promise<unknown> => admin.deadLetters.undoDiscard({ subscription }, limit);
      const isTwice = dice.chance(0.5);
      // Two operators may have the same thought.
      const undo = (): Promise<unknown> => (isTwice ? Promise.all([once(), once()]) : once());
      const discarded = admin.deadLetters.discard({ subscription }, limit);
      return untilMs === undefined ? { done: discarded, undo } : { done: discarded.then(undo) };
    }
    case "pause-subscription":
      return {
        done: admin.subscriptions.pause(subscription, pausing),
        undo: () => admin.subscriptions.resume(subscription),
      };
    case "pause-key": {
      const key = dice.one(keys());
      return {
        done: admin.heldKeys.pause(subscription, key, pausing),
        undo: () => admin.heldKeys.resume(subscription, key),
      };
    }
    case "seek":
      return {
        done: admin.subscriptions.seek(dice.one(movable), dice.chance(0.5) ? "start" : "end", {
          retireHeld: dice.chance(0.7),
        }),
      };
  }
}

/** What became of a call to an application; undefined when its process died before it answered. */
export async function settled(work: Promise<unknown>, node: SimNode, scheduler: Scheduler): Promise<unknown> {
  const asked = node.incarnation;
  let outcome: { readonly value: unknown } | undefined;
  work.then(
    (value) => void (outcome = { value }),
    (error: unknown) => void (outcome = { value: error }),
  );
  for (let waitMs = 1; !outcome && node.alive && node.incarnation === asked; waitMs = Math.min(500, waitMs * 2))
    await scheduler.sleep(waitMs);
  return outcome?.value;
}

/** Takes a partition away from its owner, as somebody does who believes it dead. */
async function steal({ observer }: Operated, dice: Dice): Promise<boolean> {
  const leases = observer.leases as Leases;
  const held = await leases.list("partition/");
  if (held.length === 0) return false;
  await leases.release([dice.one(held)]);
  return true;
}
