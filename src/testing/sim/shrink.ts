import type { CheckedOptions } from "./options.ts";
import { runSeed, type SeedPlan, type SeedResult } from "./run-seed.ts";

/** How often a run is repeated to make it smaller, unless the options say otherwise. */
const runsMaxDefault = 60;

/** What of a seed is enough to fail. */
export interface Smaller {
  readonly keep: readonly number[] | undefined;
  readonly events: number | undefined;
}

/** Takes faults and then events away as long as the same invariant is still violated. */
export async function shrink(options: CheckedOptions, plan: SeedPlan, result: SeedResult): Promise<Smaller> {
  let left = options.shrinkRunsMax ?? runsMaxDefault;
  const wanted = new Set(result.violations.map(({ invariant }) => invariant));
  const fails = async (keep: readonly number[], events: number): Promise<boolean> => {
    left -= 1;
    const { violations } = await runSeed(options, { ...plan, keep, events });
    return violations.some(({ invariant }) => wanted.has(invariant));
  };
  let keep = result.planned;
  let { events } = result.swarm;
  for (let size = Math.ceil(keep.length / 2); size >= 1 && keep.length > 0 && left > 0; size = Math.floor(size / 2)) {
    for (let from = 0; from < keep.length && left > 0;) {
      const without = [...keep.slice(0, from), ...keep.slice(from + size)];
      if (await fails(without, events)) keep = without;
      else from += size;
    }
  }
  while (events > 1 && left > 0 && (await fails(keep, Math.ceil(events / 2)))) events = Math.ceil(events / 2);
  return {
    keep: keep.length === result.planned.length ? undefined : keep,
    events: events === result.swarm.events ? undefined : events,
  };
}
