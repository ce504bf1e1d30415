// Handles orders of another process, each in a few milliseconds, and says when each was handled.
import { setTimeout } from "node:timers/promises";

import { service } from "../../src/index.ts";
import { answer, taskOf } from "../lib/child.ts";
import { reached, waitFor } from "../lib/rendezvous.ts";
import { sharedMs } from "../lib/time.ts";
import { openApp, OrderPlaced } from "../peers/tidings.ts";

export interface OverloadConsumerTask {
  readonly folder: string;
  readonly handlerMs: number;
  readonly concurrency: number;
  /** 0 for no limit. */
  readonly eventsMax: number;
  /** Orders of which nobody wants to know how they did: they need not be handled at the end. */
  readonly drain: boolean;
}

export interface OverloadConsumerResult {
  /** Number of each order and when its handler ended. */
  readonly handled: readonly (readonly [n: number, atMs: number])[];
  readonly residentMaxMiB: number;
}

const { folder, handlerMs, concurrency, eventsMax, drain } = taskOf<OverloadConsumerTask>();
const handled: [number, number][] = [];
const options = { from: "start", concurrency, ...(eventsMax > 0 ? { backlog: { eventsMax } } : {}) } as const;
const app = openApp(folder, [
  service("handler", options).on(OrderPlaced, async ({ data }) => {
    await setTimeout(handlerMs);
    handled.push([data.n, sharedMs()]);
  }),
]);
await app.start();
reached(folder, "consuming");
const accepted = await waitFor<number>(folder, "published");
if (drain) {
  const { subscriptions } = await app.settled({ timeoutMs: 60_000 });
  const [totals] = subscriptions;
  if (totals?.handled !== accepted || handled.length !== accepted)
    throw new Error(`${accepted} orders were accepted, and ${totals?.handled} are counted as handled.`);
}
await app.stop();

answer({ handled, residentMaxMiB: process.resourceUsage().maxRSS / 1024 } satisfies OverloadConsumerResult);
