// A process of the scenario "failures": publishes and handles, until it is killed. The last one is its own operator: it goes
// on as before while nobody dies, and mends what can be mended when all is published.
import { setTimeout as sleep } from "node:timers/promises";

import { dice } from "../../examples/shop/random.ts";
import { Job, keyCount, openFailures } from "./failures-app.ts";
import { mend, operate, unwatched } from "./operator.ts";
import { type Publishing, publishShares } from "./publish.ts";
import { comeToRest } from "./rest.ts";
import { ready, taskOfThisProcess } from "./speak.ts";

export interface FailuresTask extends Publishing {
  readonly file: string;
  readonly seed: number;
}

const mendMs = 60_000;

const { file, seed, last, point: _, ...publishing } = await taskOfThisProcess<FailuresTask>();
let published = false;
const app = openFailures({ file, seed, services: true, calm: () => published });
await app.start();
ready();
const operating = last ? operateUntilPublished() : undefined;
await publishShares(app, Job, keyCount, publishing);
published = true;
await operating;
// What does not get free is left for the checks to find.
for (const until = performance.now() + mendMs; last && performance.now() < until;) {
  await mend(app.admin, seed, () => true);
  if (!(await comeToRest(app))) break;
  const { subscriptions } = await app.totals();
  if (subscriptions.every(({ held, deadLetters, paused }) => held === 0 && deadLetters === 0 && !paused)) break;
  await sleep(20);
}
await app.stop();

async function operateUntilPublished(): Promise<void> {
  for (const chance = dice(`${seed}/operator/last`); !published;) {
    await sleep(chance.between(2, 20));
    await operate(app, seed, chance);
  }
  await unwatched();
}
