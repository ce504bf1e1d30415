// A member of a group: handles events until it is told to stop, and says every now and then how it does.
import { setTimeout as sleep } from "node:timers/promises";
import { type App, TidingsError } from "tidings";

import { ready, say, taskOfThisProcess } from "../crash/speak.ts";
import { type ChaosOptions, openChaos } from "./app.ts";
import { placesOf } from "./places.ts";

const healthEveryMs = 500;
/** To look costs some servers more than to work: it takes this share of the time at most. */
const healthShare = 0.05;

const { last: _, point: __, ...options } = await taskOfThisProcess<ChaosOptions>();
const starting = started();
let stopping = false;

process.on("SIGTERM", () => {
  stopping = true;
  starting
    .then(async (app) => {
      // Without a store what each member knows is its own copy.
      if (options.store === "") say(`places ${await placesOf(app.engine)}`);
      await app.stop();
    })
    .then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
});

const app = await starting;
ready();
while (!stopping) {
  // It may be stopped while it is asked.
  const askedMs = performance.now();
  const health = await app.health().catch(() => undefined);
  if (!health) break;
  const { status, engine, outbox, subscriptions } = health;
  const slow = subscriptions.find((each) => each.reason !== undefined);
  const reason = engine.trouble ?? outbox?.trouble ?? slow?.reason;
  say(`health ${JSON.stringify({ status, reason })}`);
  await sleep(Math.min(5_000, Math.max(healthEveryMs, (performance.now() - askedMs) / healthShare)));
}

/** A server that is away is waited for, as whoever runs a process would start it again. */
async function started(): Promise<App> {
  for (;;) {
    try {
      return await openChaos(options).start();
    } catch (error) {
      if (!(error instanceof TidingsError && error.retryable)) throw error;
      await sleep(200);
    }
  }
}
