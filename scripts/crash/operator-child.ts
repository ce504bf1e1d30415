// A process of the scenario "failures" that runs no service: it pauses, resumes, redrives and discards until it is killed.
import { setTimeout as sleep } from "node:timers/promises";

import { dice } from "../../examples/shop/random.ts";
import { keyCount, openFailures } from "./failures-app.ts";
import { mend, tolerant } from "./operator.ts";
import { ready, taskOfThisProcess } from "./speak.ts";

export interface OperatorTask {
  readonly file: string;
  readonly seed: number;
  /** Which process of the run this is. */
  readonly start: number;
}

const { file, seed, start } = await taskOfThisProcess<OperatorTask>();
const chance = dice(`${seed}/operator/${start}`);
const app = await openFailures({ file, seed, services: false, last: false }).start();
const { admin } = app;
ready();
for (;;) {
  await sleep(chance.between(2, 20));
  const subscription = chance.pick(["worker/jobs", "sender/jobs"]);
  const key = `key-0-${chance.between(0, keyCount - 1)}`;
  const pause = { reason: "somebody looks at it", untilMs: Date.now() + chance.between(20, 120) };
  const what = chance.next();
  if (what < 0.2) await tolerant(() => admin.subscriptions.pause(subscription, pause));
  else if (what < 0.4) await tolerant(() => admin.heldKeys.pause(subscription, key, pause));
  else await tolerant(() => mend(admin, seed, () => chance.next() < 0.6));
}
