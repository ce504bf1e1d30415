import type { DependencyEnd, History } from "./history.ts";
import type { Violation } from "./violation.ts";

/** What a guard answers while it lets nothing through: it says nothing of the event. */
const refusals: readonly string[] = ["TIDINGS_BREAKER_OPEN", "TIDINGS_RATE_LIMITED"];

/** GUARD: one probe at a time, breakers close when probes succeed, rates hold, and waiting for a guard is no failure. */
export function checkGuards({
  dependencies = [],
  charges = [],
  subscriptions = [],
  healed = false,
}: History): Violation[] {
  // At most once there is no second run: what was refused in the first one is given up.
  const once = new Set(subscriptions.filter(({ mayLose }) => mayLose).map(({ subscription }) => subscription));
  const found = dependencies.flatMap((dependency) => [...probesOf(dependency), ...rateOf(dependency)]);
  for (const { name, breaker, isStuck } of healed ? dependencies : [])
    if (isStuck) found.push(violation(`The breaker "${name}" is ${breaker} although a probe has succeeded.`));
  for (const { subscription, key, code } of charges)
    if (refusals.includes(code) && !once.has(subscription))
      found.push({ ...violation(`${subscription} has counted ${code} as a failure of an event.`), subscription, key });
  return found;
}

const violation = (message: string): Violation => ({ invariant: "GUARD", message });

function probesOf({ name, probesMost = 0 }: DependencyEnd): Violation[] {
  return probesMost > 1 ? [violation(`${probesMost} probes went through the breaker "${name}" at once.`)] : [];
}

/** The first window in which more has begun than the rate allows. */
function rateOf({ name, rate, beganAtMs = [] }: DependencyEnd): Violation[] {
  if (!rate) return [];
  const { perSecond, most, slackMs } = rate;
  // As a bucket that is emptied by each call and filled with time: what is above its rim is too much.
  let level = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  const rim = most + (perSecond * slackMs) / 1000;
  for (const atMs of beganAtMs) {
    level = Math.max(0, level - ((atMs - lastMs) * perSecond) / 1000) + 1;
    lastMs = atMs;
    if (level > rim + 1e-6)
      return [violation(`"${name}" was called ${level.toFixed(1)} times more at ${atMs} ms than its rate allows; ${rim.toFixed(1)} are allowed.`)]; // prettier-ignore
  }
  return [];
}
