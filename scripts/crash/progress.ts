import { existsSync } from "node:fs";

import { identityOf, type Publish } from "../../src/testing/check/history.ts";
import { readOracle } from "./oracle.ts";
import { idOf, numberedOf, type Share } from "./publish.ts";

/** How far publishers have come, as the oracle knows. */
export interface Progress {
  /** The first number of a publisher that is not acknowledged. */
  from(publisher: number): number;
  /** What is left to publish, so that everything is there that an earlier process may have published. */
  rest(): readonly Share[];
}

/** Reads it from the oracle anew each time. `beyond`: more than the processes ever have in flight. */
export function progressOf(oracle: string, publishers: number, beyond: number): Progress {
  const floors = Array.from({ length: publishers }, () => 0);
  const known = (): ReadonlySet<number> => (existsSync(oracle) ? readOracle(oracle) : new Set());
  const from = (publisher: number, acknowledged = known()): number => {
    let n = floors[publisher] ?? 0;
    while (acknowledged.has(n * publishers + publisher)) n++;
    return (floors[publisher] = n);
  };
  return {
    from,
    rest() {
      const acknowledged = known();
      const most = [...acknowledged].reduce((most, n) => Math.max(most, Math.floor(n / publishers) + 1), 0);
      return floors.map((_, publisher) => ({ publisher, from: from(publisher, acknowledged), until: most + beyond }));
    },
  };
}

/** What was published in the end: all that the last process was to, and what the oracle knows of each. */
export interface Published {
  readonly shares: readonly Share[];
  readonly publishers: number;
  readonly acknowledged: ReadonlySet<number>;
  readonly keyCount: number;
  readonly inARow?: number;
}

/** The same in the words of the checker. */
export function publishesOf(
  { shares, publishers, acknowledged, keyCount, inARow }: Published,
  topic: string,
): Publish[] {
  const publishes: Publish[] = [];
  for (const { publisher, until = 0 } of shares)
    for (let n = 0; n < until; n++) {
      const data = numberedOf(publisher, n, keyCount, inARow);
      publishes.push({
        event: identityOf({ source: "/crash", id: idOf(data) }),
        topic,
        key: data.key,
        answer: acknowledged.has(n * publishers + publisher) ? "acknowledged" : "unknown",
        payload: JSON.stringify(data),
        producer: `publisher ${publisher}`,
        seq: n,
      });
    }
  return publishes;
}
