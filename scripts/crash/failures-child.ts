// A process of the scenario "failures": publishes and handles, until it is killed. The last one is its own operator: it goes
// on as before while nobody dies, and mends what can be mended when all is published.
import { setTimeout as sleep } from "node:timers/promises";

import { dice } from "../../examples/shop/random.ts";
import { Job, keyCount, openFailures } from "./failures-app.ts";
import { mend, operate, unwatched } from "./operator.ts";
import { type Publishing, publishShares, type Share } from "./publish.ts";
import { comeToRest } from "./rest.ts";
import { ready, taskOfThisProcess } from "./speak.ts";

export interface FailuresTask extends Publishing {
  readonly file: string;
  readonly seed: number;
}

/** When mending has got no further for so long, it will not: tens of thousands may be held, which takes a slow machine minutes. */
const mendMs = 60_000;

const { file, seed, last, point: _, ...publishing } = await taskOfThisProcess<FailuresTask>();
/** So many events are published between two times that everything is mended: where all keys are held, nothing goes the usual way. */
const roundEvents = 200;

let calm = true;
const app = openFailures({ file, seed, services: true, calm: () => last && calm });
await app.start();
ready();
const chance = dice(`${seed}/operator/last`);
for (const shares of last ? roundsOf(publishing.shares) : [publishing.shares]) {
  calm = false;
  const operating = last ? operateUntilCalm() : undefined;
  await publishShares(app, Job, keyCount, { ...publishing, shares });
  calm = true;
  await operating;
  // What does not get free is left for the checks to find.
  if (!(await mendAll())) break;
}
await app.stop();

function roundsOf(shares: readonly Share[]): Share[][] {
  return shares.flatMap(({ publisher, from, until = from }) =>
    Array.from({ length: Math.ceil((until - from) / roundEvents) }, (_, round) => {
      const begin = from + round * roundEvents;
      return [{ publisher, from: begin, until: Math.min(until, begin + roundEvents) }];
    }),
  );
}

async function operateUntilCalm(): Promise<void> {
  while (!calm) {
    await sleep(chance.between(2, 20));
    await operate(app, seed, chance);
  }
  await unwatched();
}

/** Resolves with false when something does not get free. */
async function mendAll(): Promise<boolean> {
  let least = Infinity;
  for (let since = performance.now(); performance.now() - since < mendMs;) {
    await mend(app.admin, seed, () => true);
    if (!(await comeToRest(app))) return false;
    const { subscriptions } = await app.totals();
    const left = subscriptions.reduce((sum, { held, deadLetters }) => sum + held + deadLetters, 0);
    if (left === 0 && subscriptions.every(({ paused }) => !paused)) return true;
    if (left < least) [least, since] = [left, performance.now()];
    await sleep(20);
  }
  return false;
}
