import type { LatencyResult } from "../children/latency.ts";
import { lineOf } from "../lib/line.ts";
import { alternate, keys, type Measurement } from "../lib/run.ts";
import { embedded } from "../lib/settings.ts";

const perSecond = 500;

/** How long an event takes from the call of publish to its handler, when the machine is not busy. */
export const latency: Measurement = {
  name: "latency",
  async run(run) {
    const events = run.size(4000, 250);
    const warmup = run.size(1000, 50);
    const task = (peer: string) => () =>
      run.inFreshFolder<LatencyResult>("latency", { peer, perSecond, events, warmup, keys });
    const results = await alternate(run, "latency", { tidings: task("tidings"), bare: task("bare") });
    const settings = {
      ...embedded,
      keys,
      perSecond,
      events,
      from: "the call of publish",
      to: "the call of the handler",
    };
    return (["p50", "p99"] as const).map((which) =>
      lineOf({
        name: `latency-${which}`,
        unit: "ms",
        better: "lower",
        values: (results["tidings"] ?? []).map((each) => each[`${which}Ms`]),
        settings,
        peer: { name: "bare", values: (results["bare"] ?? []).map((each) => each[`${which}Ms`]) },
      }),
    );
  },
};
