// A process of the scenario "failures" that runs no service: it pauses, resumes, redrives and discards until it is killed.
import { setTimeout as sleep } from "node:timers/promises";

import { dice } from "../../examples/shop/random.ts";
import { openFailures } from "./failures-app.ts";
import { operate } from "./operator.ts";
import { ready, taskOfThisProcess } from "./speak.ts";

export interface OperatorTask {
  readonly file: string;
  readonly seed: number;
  /** Which process of the run this is. */
  readonly start: number;
}

const { file, seed, start } = await taskOfThisProcess<OperatorTask>();
const chance = dice(`${seed}/operator/${start}`);
const app = await openFailures({ file, seed, services: false }).start();
ready();
for (;;) {
  await sleep(chance.between(2, 20));
  await operate(app, seed, chance);
}
