import type { History } from "./history.ts";
import type { Violation } from "./violation.ts";

/** I10: each write of what a lease guards was checked against its token; tokens never go back, and each has one owner. */
export function checkOwners({ ownership = [] }: History): Violation[] {
  const last = new Map<string, { readonly owner: string; readonly token: number }>();
  const found: Violation[] = [];
  for (const { lease, owner, token } of ownership) {
    if (token === undefined) {
      found.push({ invariant: "I10", message: `${owner} wrote what ${lease} guards without a fence.` });
      continue;
    }
    const before = last.get(lease);
    if (before && token < before.token)
      found.push({
        invariant: "I10",
        message: `${owner} wrote what ${lease} guards with token ${token} after ${before.owner} with ${before.token}.`,
      });
    else if (before && token === before.token && owner !== before.owner)
      found.push({
        invariant: "I10",
        message: `${owner} and ${before.owner} both wrote what ${lease} guards with token ${token}.`,
      });
    else last.set(lease, { owner, token });
  }
  return found;
}

/** I13: nothing is early. */
export function checkTimers({ timers = [] }: History): Violation[] {
  return timers
    .filter(({ dueAtMs, firedAtMs }) => firedAtMs < dueAtMs)
    .map(({ subscription, event, dueAtMs, firedAtMs }) => ({
      invariant: "I13",
      subscription,
      event,
      message: `${subscription} tried ${event} again ${dueAtMs - firedAtMs} ms too early.`,
    }));
}

/** I18: nothing grows above its cap. */
export function checkResources({ resources = [] }: History): Violation[] {
  return resources
    .filter(({ peak, cap }) => peak > cap)
    .map(({ name, peak, cap }) => ({
      invariant: "I18",
      message: `${name} reached ${peak}; at most ${cap} are declared.`,
    }));
}

/** I24: the same seed, the same run. */
export function checkTraces({ traces = [] }: History): Violation[] {
  return traces
    .filter(({ first, second }) => first !== second)
    .map(({ seed, first, second }) => ({
      invariant: "I24",
      message: `The seed ${seed} gave the trace ${first} and then ${second}.`,
    }));
}

/** A history that shows nothing proves nothing. */
export function checkVacuous({ publishes, log, runs }: History): Violation[] {
  if (!publishes.some(({ answer }) => answer === "acknowledged"))
    return [{ invariant: "VACUOUS", message: "Nothing was acknowledged, so nothing can be said." }];
  if (runs && runs.length === 0 && log.length > 0)
    return [{ invariant: "VACUOUS", message: "No handler ever ran, so little can be said." }];
  return [];
}
