import { checkDeadLetters, checkHandled, checkPoison, checkPositions, checkTotals } from "./accounts.ts";
import { checkEffects, checkFates, checkLanes, checkLedgers, checkOrder } from "./effects.ts";
import { checkGuards } from "./guards.ts";
import type { History } from "./history.ts";
import {
  checkAcknowledged,
  checkBatches,
  checkPhantoms,
  checkPositionsRise,
  checkProducers,
  checkUnique,
} from "./log.ts";
import { checkOwners, checkResources, checkTimers, checkTraces, checkVacuous } from "./machine.ts";
import { checkRedrives } from "./redrives.ts";
import type { InvariantId, Violation } from "./violation.ts";

/** What a check found. */
export interface CheckReport {
  readonly violations: readonly Violation[];
  /** What the history had enough in it to be checked for. */
  readonly checked: readonly InvariantId[];
}

interface Rule {
  readonly invariant: InvariantId;
  readonly check: (history: History) => Violation[];
  /** Parts of the history without which the rule has nothing to look at. */
  readonly needs: readonly (keyof History)[];
}

const rules: readonly Rule[] = [
  { invariant: "VACUOUS", check: checkVacuous, needs: [] },
  { invariant: "I1", check: checkAcknowledged, needs: [] },
  { invariant: "I2", check: checkPhantoms, needs: [] },
  { invariant: "I3", check: checkPositionsRise, needs: [] },
  { invariant: "I4", check: checkProducers, needs: [] },
  { invariant: "I6", check: checkBatches, needs: [] },
  { invariant: "I6", check: checkEffects, needs: ["effects", "subscriptions"] },
  { invariant: "I7", check: checkFates, needs: ["subscriptions", "effects"] },
  { invariant: "I8", check: checkUnique, needs: [] },
  { invariant: "I8", check: checkLedgers, needs: ["ledgers"] },
  { invariant: "I9", check: checkOrder, needs: ["effects", "subscriptions"] },
  { invariant: "I9", check: checkLanes, needs: ["runs"] },
  { invariant: "I10", check: checkOwners, needs: ["ownership"] },
  { invariant: "I11", check: checkPositions, needs: ["positions"] },
  { invariant: "I13", check: checkTimers, needs: ["timers"] },
  { invariant: "I16", check: checkPoison, needs: ["poison", "deadLetters"] },
  { invariant: "I17", check: checkDeadLetters, needs: ["deadLetters"] },
  { invariant: "I18", check: checkResources, needs: ["resources"] },
  { invariant: "I24", check: checkTraces, needs: ["traces"] },
  { invariant: "GUARD", check: checkGuards, needs: ["dependencies", "charges"] },
  { invariant: "REDRIVE", check: checkRedrives, needs: ["redrives", "deadLetters"] },
  { invariant: "P3", check: checkTotals, needs: ["subscriptions"] },
  { invariant: "P3", check: checkHandled, needs: ["subscriptions", "effects"] },
];

/**
 * Looks for everything in a history that must not be. Pure: it reads nothing but the history. Invariants for which the
 * history lacks a part are left out, and `checked` does not name them.
 *
 * @example
 * const { violations } = check({ publishes, log, effects, subscriptions, healed: true });
 */
export function check(history: History): CheckReport {
  const violations: Violation[] = [];
  const checked = new Set<InvariantId>();
  for (const { invariant, check: look, needs } of rules) {
    if (needs.some((part) => history[part] === undefined)) continue;
    checked.add(invariant);
    violations.push(...look(history));
  }
  return { violations, checked: [...checked] };
}
