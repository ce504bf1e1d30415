import { cpSync } from "node:fs";

import type { NothingResult } from "../children/nothing.ts";
import type { StartResult } from "../children/start.ts";
import { lineOf } from "../lib/line.ts";
import { alternate, type Measurement, type Run } from "../lib/run.ts";
import { embedded } from "../lib/settings.ts";
import { median, rounded } from "../lib/stats.ts";

/** What an application takes that does nothing, and how soon a new process acknowledges. */
export const start: Measurement = {
  name: "start",
  async run(run) {
    const events = run.size(1_000_000, 2000);
    const idleMs = run.size(2000, 200);
    const results = await alternate<Partial<StartResult> & NothingResult>(run, "start", {
      fresh: () => run.inFreshFolder<StartResult>("start", { idleMs }),
      full: () => startOnFull(run, events),
      node: () => run.inFreshFolder<NothingResult>("nothing", {}),
    });
    const of = (which: string, value: keyof StartResult): number[] =>
      (results[which] ?? []).map((each) => each[value] ?? Number.NaN);
    const settings = { ...embedded, services: 1 };
    const cold = { unit: "ms", better: "lower" } as const;
    const within = (which: string) => ({
      from: "start of the process",
      to: "first acknowledgement",
      withoutLoadingMs: rounded(median(of(which, "startMs"))),
    });
    return [
      lineOf({
        name: "memory",
        unit: "MiB",
        better: "lower",
        values: of("fresh", "residentMiB"),
        settings: { ...settings, statistic: `resident size after ${idleMs} ms of idling` },
        peer: { name: "node alone", values: of("node", "residentMiB") },
      }),
      lineOf({
        ...cold,
        name: "cold-start",
        values: of("fresh", "firstAcknowledgementMs"),
        settings: { ...settings, file: "new", ...within("fresh") },
      }),
      lineOf({
        ...cold,
        name: "cold-start-full",
        values: of("full", "firstAcknowledgementMs"),
        settings: { ...settings, file: `${events} events, all of them still to be handled`, ...within("full") },
      }),
    ];
  },
};

async function startOnFull(run: Run, events: number): Promise<StartResult> {
  const original = await run.filled(events);
  const folder = run.place.fresh();
  try {
    cpSync(original, folder, { recursive: true });
    return await run.in<StartResult>(folder, "start", { idleMs: 1 });
  } finally {
    run.place.remove(folder);
  }
}
