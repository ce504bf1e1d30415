import type { BacklogResult } from "../children/backlog.ts";
import { lineOf } from "../lib/line.ts";
import { alternate, keys, type Measurement, type Run } from "../lib/run.ts";
import { embedded } from "../lib/settings.ts";
import { cpSync } from "node:fs";

/** A long backlog is consumed as fast as a short one, and in as little memory. */
export const backlog: Measurement = {
  name: "backlog",
  async run(run) {
    const short = run.size(100_000, 500);
    const long = run.options.full ? 10_000_000 : run.size(1_000_000, 2000);
    const warmup = short;
    const results = await alternate(run, "backlog", {
      short: () => consume(run, short + warmup, warmup),
      long: () => consume(run, long + warmup, warmup),
      small: () => consume(run, long + warmup, warmup, [smallHeap]),
    });
    const settings = { ...embedded, keys, events: long, warmup, handler: "does nothing" };
    return [
      lineOf({
        name: "backlog",
        unit: "events/s",
        better: "higher",
        values: (results["long"] ?? []).map(({ eventsPerSecond }) => eventsPerSecond),
        settings: { ...settings, peerEvents: short },
        peer: { name: "short backlog", values: (results["short"] ?? []).map(({ eventsPerSecond }) => eventsPerSecond) },
      }),
      lineOf({
        name: "backlog-memory",
        unit: "MiB",
        better: "lower",
        values: (results["long"] ?? []).map(({ residentMaxMiB }) => residentMaxMiB),
        settings: { ...settings, statistic: "largest resident size of the process" },
        peer: {
          name: `node ${smallHeap}`,
          values: (results["small"] ?? []).map(({ residentMaxMiB }) => residentMaxMiB),
        },
      }),
      lineOf({
        name: "backlog-small-heap",
        unit: "events/s",
        better: "higher",
        values: (results["small"] ?? []).map(({ eventsPerSecond }) => eventsPerSecond),
        settings: { ...settings, node: smallHeap },
        peer: {
          name: "without the option",
          values: (results["long"] ?? []).map(({ eventsPerSecond }) => eventsPerSecond),
        },
      }),
    ];
  },
};

/** What docs/performance.md advises where memory is short: V8 lets its young generation grow with the machine's memory. */
const smallHeap = "--max-semi-space-size=8";

/** Consuming leaves its position behind, so each run gets a copy of the file. */
async function consume(run: Run, events: number, warmup: number, node?: readonly string[]): Promise<BacklogResult> {
  const original = await run.filled(events);
  const folder = run.place.fresh();
  try {
    cpSync(original, folder, { recursive: true });
    return await run.in<BacklogResult>(folder, "backlog", { events, warmup }, node);
  } finally {
    run.place.remove(folder);
  }
}
