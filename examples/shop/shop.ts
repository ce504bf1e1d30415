// The shop as an application: its services on an engine.
import { type App, type Logger, tidings } from "tidings";

import { messages } from "./events.ts";
import type { Faults } from "./faults.ts";
import { services } from "./services/all.ts";

/**
 * The default ladder waits seconds and then minutes, as real outages want it. The faults of this shop are planted and short,
 * and a run should end in seconds.
 */
const retry = { immediateMs: [0, 10], delayedMs: [50, 100, 200], jitter: "full" } as const;

export function openShop({ url, faults, signal }: { url: string; faults: Faults; signal: AbortSignal }): App {
  return tidings({
    name: "shop",
    url,
    services,
    // Nobody in the shop reads what customers were told, so that no service names this topic.
    topics: [messages],
    use: [faults.middleware],
    delivery: { retry },
    logger: errorsOnly(5),
    signal,
  });
}

/** The first errors, a line each; everything else of the log would bury the progress line. */
function errorsOnly(most: number): Logger {
  let count = 0;
  return {
    debug() {},
    info() {},
    warn() {},
    error({ subscription, event, err }, message) {
      count++;
      const reason = err instanceof Error ? err.message : "";
      const about = [subscription, event].filter((part) => typeof part === "string").join(" ");
      if (count <= most) process.stderr.write(`${message}: ${about} ${reason}\n`);
      else if (count === most + 1) process.stderr.write("Further errors are not shown.\n");
    },
  };
}
