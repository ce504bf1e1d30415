// How the processes of a scenario publish: at a steady pace until they are killed, the last one to an end.
import { setTimeout as sleep } from "node:timers/promises";
import type { App, Contract } from "tidings";

import { acknowledge } from "./speak.ts";

/** What one process publishes: of a publisher, from a number on. */
export interface Share {
  readonly publisher: number;
  /** The events before it are acknowledged. */
  readonly from: number;
  /** Up to here, exclusive; undefined goes on until the kill. */
  readonly until?: number;
}

/** An event without gaps in its key. */
export interface Numbered {
  readonly key: string;
  readonly seq: number;
}

export interface Publishing {
  readonly shares: readonly Share[];
  /** How many publishers there are: number n of publisher p is known to the oracle as n * publishers + p. */
  readonly publishers: number;
  /** So many events at once, every few milliseconds. */
  readonly burst: number;
  /** How many events of one key follow each other; 1. */
  readonly inARow?: number;
  /** Most publishes that wait for their acknowledgement. */
  readonly inFlightMax: number;
}

const everyMs = 8;

/** An id that is the same whenever the event is published again. */
export const idOf = ({ key, seq }: Numbered): string => `${key}:${seq}`;

/**
 * The n-th event of a publisher: keys take turns in no simple order, each for so many events in a row, and each has numbers
 * from 0 on.
 */
export function numberedOf(publisher: number, n: number, keyCount: number, inARow = 1): Numbered {
  const turn = Math.floor(n / inARow);
  const round = Math.floor(turn / keyCount);
  const key = ((turn % keyCount) * 7 + round * 3) % keyCount;
  return { key: `key-${publisher}-${key}`, seq: round * inARow + (n % inARow) };
}

/** Publishes every share until its end, or until `signal` aborts; what is refused ends the process. */
export async function publishShares(
  app: App,
  contract: Contract<string, Numbered>,
  keyCount: number,
  { shares, publishers, burst, inARow, inFlightMax }: Publishing,
  signal?: AbortSignal,
): Promise<void> {
  let inFlight = 0;
  const publish = async (publisher: number, n: number): Promise<void> => {
    const data = numberedOf(publisher, n, keyCount, inARow);
    inFlight++;
    await app.publish(contract, data, { id: idOf(data) });
    inFlight--;
    acknowledge(n * publishers + publisher);
  };
  const publishShare = async ({ publisher, from, until = Number.POSITIVE_INFINITY }: Share): Promise<void> => {
    const publications = new Set<Promise<void>>();
    for (let n = from; n < until && !signal?.aborted;) {
      for (let i = 0; i < burst && n < until && inFlight < inFlightMax; i++) {
        const publication = publish(publisher, n++);
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
  };
  await Promise.all(shares.map(publishShare));
}
