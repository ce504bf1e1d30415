// A process of the scenario "failures": publishes and handles, until it is killed; the last one mends what can be mended.
import { setTimeout as sleep } from "node:timers/promises";

import { Job, keyCount, openFailures } from "./failures-app.ts";
import { mend } from "./operator.ts";
import { type Publishing, publishShares } from "./publish.ts";
import { ready, taskOfThisProcess } from "./speak.ts";

export interface FailuresTask extends Publishing {
  readonly file: string;
  readonly seed: number;
}

const mendMs = 60_000;

const { file, seed, last, point: _, ...publishing } = await taskOfThisProcess<FailuresTask>();
const app = openFailures({ file, seed, services: true, last });
await app.start();
ready();
await publishShares(app, Job, keyCount, publishing);
for (const until = performance.now() + mendMs; last;) {
  await mend(app.admin, seed, () => true);
  await app.settled({ timeoutMs: mendMs });
  const { subscriptions } = await app.totals();
  if (subscriptions.every(({ held, deadLetters, paused }) => held === 0 && deadLetters === 0 && !paused)) break;
  if (performance.now() > until) {
    process.stderr.write(`What is held does not get free: ${JSON.stringify(subscriptions)}\n`);
    process.exit(1);
  }
  await sleep(20);
}
await app.stop();
