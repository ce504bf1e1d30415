// A process of the scenario "counter": publishes at a steady pace until it is killed; the last one comes to an end.
import { setTimeout as sleep } from "node:timers/promises";

import { Counted, countedOf, idOf, openCounter } from "./counter-app.ts";
import { acknowledge, ready, taskOfThisProcess } from "./speak.ts";

export interface CounterTask {
  readonly file: string;
  readonly seed: number;
  /** Number of the first event to publish; those before are acknowledged. */
  readonly from: number;
  /** Events up to here, exclusive; undefined goes on until the kill. */
  readonly until?: number;
}

/** So many events every so many milliseconds. */
const burst = 30;
const everyMs = 8;
/** Most publishes that wait for their acknowledgement. */
export const inFlightMax = 300;

const { file, seed, from, until = Number.POSITIVE_INFINITY, last } = taskOfThisProcess<CounterTask>();
const app = openCounter(file, seed);
await app.start();
ready();

let inFlight = 0;
const publications = new Set<Promise<void>>();

async function publish(n: number): Promise<void> {
  const data = countedOf(n);
  inFlight++;
  await app.publish(Counted, data, { id: idOf(data) });
  inFlight--;
  acknowledge(n);
}

for (let n = from; n < until;) {
  for (let i = 0; i < burst && n < until && inFlight < inFlightMax; i++) {
    const publication = publish(n++);
    publications.add(publication);
    publication.then(
      () => publications.delete(publication),
      (error: unknown) => {
        process.stderr.write(`${String(error)}\n`);
        process.exit(1);
      },
    );
  }
  await sleep(everyMs);
}
await Promise.all(publications);
if (last) await app.settled({ timeoutMs: 90_000 });
await app.stop();
