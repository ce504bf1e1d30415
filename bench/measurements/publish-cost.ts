import type { PublishCostResult, PublishCostTask } from "../children/publish-cost.ts";
import { lineOf } from "../lib/line.ts";
import { alternate, keys, type Measurement, type Run } from "../lib/run.ts";
import { embedded } from "../lib/settings.ts";

const inFlight = 500;

/** Publishing costs the same however many subscriptions idle, and however many keys there are. */
export const publishCost: Measurement = {
  name: "publish-cost",
  async run(run) {
    const many = { subscriptions: run.size(1000, 20), keys: run.size(1_000_000, 100_000) };
    const results = await alternate(run, "publish-cost", {
      one: () => publish(run, { subscriptions: 1, keys }),
      subscriptions: () => publish(run, { subscriptions: many.subscriptions, keys }),
      keys: () => publish(run, { subscriptions: 1, keys: many.keys }),
    });
    const of = (which: string): number[] => (results[which] ?? []).map(({ microsPerEvent }) => microsPerEvent);
    const base = { unit: "us", better: "lower" } as const;
    const settings = { ...embedded, inFlight, events: eventsOf(run), subscriptions: 1, keys };
    return [
      lineOf({
        ...base,
        name: "publish-cost-subscriptions",
        values: of("subscriptions"),
        settings: { ...settings, subscriptions: many.subscriptions },
        peer: { name: "1 idle subscription", values: of("one") },
      }),
      lineOf({
        ...base,
        name: "publish-cost-keys",
        values: of("keys"),
        settings: { ...settings, keys: many.keys },
        peer: { name: `${keys} keys`, values: of("one") },
      }),
    ];
  },
};

const eventsOf = (run: Run): number => run.size(200_000, 2000);

function publish(run: Run, task: Pick<PublishCostTask, "subscriptions" | "keys">): Promise<PublishCostResult> {
  const events = eventsOf(run);
  return run.inFreshFolder("publish-cost", { ...task, events, warmup: Math.ceil(events / 5), inFlight });
}
