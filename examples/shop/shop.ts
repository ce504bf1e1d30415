// The shop as an application: its services on an engine.
import { type App, type Logger, tidings } from "tidings";

import type { Faults } from "./faults.ts";
import { services } from "./services/all.ts";

/**
 * The default ladder waits seconds and then minutes, as real outages want it. The faults of this shop are planted and short,
 * and a run should end in seconds.
 */
const retry = { immediateMs: [0, 10], delayedMs: [50, 100, 200], jitter: "full" } as const;

export function openShop(options: { url: string; faults: Faults; signal: AbortSignal }): App {
  const { url, faults, signal } = options;
  return tidings({ name: "shop", url, services, use: [faults.middleware], retry, signal, logger: warnings });
}

/** What needs a person; everything else of the log would bury the progress line. */
const warnings: Logger = {
  debug() {},
  info() {},
  warn() {},
  error(fields, message) {
    process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
  },
};
