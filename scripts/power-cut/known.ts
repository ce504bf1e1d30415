// What was promised before the power failed, as the marks say it.
import { readMarks } from "./workload/marks.ts";

export interface Known {
  readonly started: boolean;
  /** By topic and publisher, the number up to which publishing had begun. */
  readonly tried: ReadonlyMap<string, number>;
  /** By topic, what publishers were told to be published. */
  readonly acknowledged: ReadonlyMap<string, readonly { readonly by: string; readonly n: number }[]>;
  /** How many events that are. */
  readonly acknowledgedCount: number;
  /** Ids of events that a handler was given, by their places. */
  readonly seen: ReadonlyMap<string, string>;
  /** Places of events for which a handler ran that may run once only. */
  readonly ran: ReadonlySet<string>;
  readonly remembered: ReadonlySet<string>;
  /** By account, the newest version that somebody was told. */
  readonly accounts: ReadonlyMap<string, number>;
  /** Position up to which the scratch topic may be empty. */
  readonly retaining: number;
}

export const placeOf = (topic: string, partition: number, position: number): string =>
  `${topic}/${partition}/${position}`;

export function knownFrom(texts: readonly string[]): Known {
  const tried = new Map<string, number>();
  const acknowledged = new Map<string, Map<string, { by: string; n: number }>>();
  const seen = new Map<string, string>();
  const ran = new Set<string>();
  const remembered = new Set<string>();
  const accounts = new Map<string, number>();
  let started = false;
  let retaining = 0;
  for (const mark of readMarks(texts)) {
    if (mark.kind === "started") started = true;
    else if (mark.kind === "trying") raise(tried, `${mark.topic}/${mark.by}`, mark.n);
    else if (mark.kind === "acknowledged") {
      const { topic, by, n } = mark;
      const known = acknowledged.get(topic) ?? new Map<string, { by: string; n: number }>();
      acknowledged.set(topic, known.set(`${by}-${n}`, { by, n }));
    } else if (mark.kind === "seen") seen.set(placeOf(mark.topic, mark.partition, mark.position), mark.id);
    else if (mark.kind === "ran") ran.add(placeOf(mark.topic, mark.partition, mark.position));
    else if (mark.kind === "remembered") remembered.add(mark.key);
    else if (mark.kind === "account") raise(accounts, mark.key, mark.version);
    else retaining = Math.max(retaining, mark.first);
  }
  return {
    started, tried, seen, ran, remembered, accounts, retaining,
    acknowledged: new Map([...acknowledged].map(([topic, events]) => [topic, [...events.values()]])),
    acknowledgedCount: [...acknowledged.values()].reduce((sum, { size }) => sum + size, 0),
  }; // prettier-ignore
}

function raise(numbers: Map<string, number>, name: string, value: number): void {
  numbers.set(name, Math.max(numbers.get(name) ?? value, value));
}
