import type { LatencyResult } from "../children/latency.ts";
import { lineOf } from "../lib/line.ts";
import { alternate, keys, type Measurement } from "../lib/run.ts";
import { onPostgres } from "../lib/settings.ts";
import { among, bare, queues } from "./postgres-peers.ts";

const perSecond = 500;

/** How long an event takes from the call of publish to its handler, when the machine is not busy. */
export const latency: Measurement = {
  name: "latency",
  needs: { tidings: "postgres" },
  async run(run) {
    const events = run.size(4000, 250);
    const warmup = run.size(1000, 50);
    const peers = among(run, [bare, ...queues]);
    const task = (peer: string) => () =>
      run.inFreshDatabase<LatencyResult>("latency", { peer, perSecond, events, warmup, keys });
    const results = await alternate(run, "latency", {
      tidings: task("tidings"),
      ...Object.fromEntries(peers.map(({ name, peer }) => [name, task(peer)])),
    });
    const of = (name: string, which: "p50" | "p99"): number[] =>
      (results[name] ?? []).map((each) => each[`${which}Ms`]);
    const settings = {
      ...onPostgres,
      keys,
      perSecond,
      events,
      from: "the call of publish",
      to: "the call of the handler",
    };
    return (["p50", "p99"] as const).flatMap((which) => {
      const line = { name: `latency-${which}`, unit: "ms", better: "lower", values: of("tidings", which) } as const;
      if (peers.length === 0) return [lineOf({ ...line, settings })];
      return peers.map(({ name, settings: theirs }) =>
        lineOf({ ...line, settings: { ...settings, ...theirs }, peer: { name, values: of(name, which) } }),
      );
    });
  },
};
