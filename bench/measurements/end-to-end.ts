import type { EndToEndResult } from "../children/end-to-end.ts";
import type { Line } from "../lib/line.ts";
import { lineOf } from "../lib/line.ts";
import { alternate, keys, type Measurement } from "../lib/run.ts";
import { embedded } from "../lib/settings.ts";
import { rounded } from "../lib/stats.ts";

const inFlight = 500;
const concurrency = 50;

/** From the publish to the end of the handler, under full load, and how the event loop fares meanwhile. */
export const endToEnd: Measurement = {
  name: "end-to-end",
  needs: { bullmq: "redis" },
  async run(run) {
    const events = run.size(200_000, 2000);
    // BullMQ is slower by so much that fewer events last as long.
    const fewer = run.size(40_000, 500);
    const task = (peer: string, count: number, url?: string) => () =>
      run.inFreshFolder<EndToEndResult>("end-to-end", {
        peer, events: count, warmup: Math.ceil(count / 4), inFlight, keys, url,
      }); // prettier-ignore
    const results = await alternate(run, "end-to-end", {
      tidings: task("tidings", events),
      ...(run.options.without.includes("bare") ? {} : { bare: task("bare", events) }),
      ...(run.urls.redis === undefined ? {} : { bullmq: task("bullmq", fewer, run.urls.redis) }),
    });
    const of = (peer: string, value: Exclude<keyof EndToEndResult, "spent">): number[] =>
      (results[peer] ?? []).map((each) => each[value]);
    const settings = { ...embedded, keys, inFlight, events, handler: "does nothing" };
    const base = {
      name: "end-to-end",
      unit: "events/s",
      better: "higher",
      values: of("tidings", "eventsPerSecond"),
    } as const;
    const lines: Line[] = [];
    if (results["bare"]) {
      const peer = { name: "bare", values: of("bare", "eventsPerSecond") };
      const theirs = {
        peerDurability: "synchronous=FULL",
        peerValidation: "none",
        peerGuarantee: "position in the same transaction",
      };
      lines.push(lineOf({ ...base, settings: { ...settings, ...theirs }, peer }));
    }
    if (results["bullmq"]) {
      const peer = { name: "bullmq", values: of("bullmq", "eventsPerSecond") };
      const theirs = {
        peerDurability: "Redis as installed: no fsync per acknowledgement",
        peerConcurrency: concurrency,
        peerEvents: fewer,
        peerRemoveOnComplete: true,
      };
      lines.push(lineOf({ ...base, settings: { ...settings, ...theirs }, peer }));
    }
    if (lines.length === 0) lines.push(lineOf({ ...base, settings }));
    const delay = { better: "lower", unit: "ms" } as const;
    lines.push(
      lineOf({
        ...delay,
        name: "event-loop-delay",
        values: of("tidings", "delayP99Ms"),
        settings: {
          ...settings,
          statistic: "p99 of monitorEventLoopDelay, resolution 1 ms, during end-to-end",
          maxMs: rounded(Math.max(...of("tidings", "delayMaxMs"))),
        },
        ...(results["bare"] ? { peer: { name: "bare", values: of("bare", "delayP99Ms") } } : {}),
      }),
      lineOf({
        name: "cpu-per-event",
        unit: "us",
        better: "lower",
        values: of("tidings", "cpuMicrosPerEvent"),
        settings: { ...settings, statistic: "CPU time of all threads of the process, during end-to-end" },
        ...(results["bare"] ? { peer: { name: "bare", values: of("bare", "cpuMicrosPerEvent") } } : {}),
      }),
    );
    return lines;
  },
};
