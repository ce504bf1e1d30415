/** Whether a promise holds: by the engine itself, by what tidings does above its port, or not at all. */
export type Holds = "yes" | "with our help" | "no";

/** A promise on one engine. */
export interface Guarantee {
  readonly promise: `P${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}`;
  readonly title: string;
  readonly holds: Holds;
  /** What it means there, and what it rests on. */
  readonly note: string;
}

const titles = Object.freeze({
  P1: "an acknowledged publish has the stated durability",
  P2: "per key, handlers see events in commit order",
  P3: "every event reaches every subscription or lies in its dead letters",
  P4: "what a unit of work does happens once or not at all",
  P5: "appends with an expected version are linearizable",
  P6: "sagas resume after any crash",
  P7: "replays are isolated and repeat no side effects",
  P8: "corruption is reported, never served",
  P9: "overload is refused, accepted work is kept",
});

const soon = "not in this version";

function table(entries: Readonly<Record<keyof typeof titles, readonly [Holds, string]>>): readonly Guarantee[] {
  return Object.freeze(
    Object.entries(entries).map(([promise, [holds, note]]) =>
      Object.freeze({
        promise: promise as Guarantee["promise"],
        title: titles[promise as keyof typeof titles],
        holds,
        note,
      }),
    ),
  );
}

/** By engine, what is promised; `tidings doctor` and docs/guarantees.md print it. */
export const guarantees: Readonly<Record<string, readonly Guarantee[]>> = Object.freeze({
  sqlite: table({
    P1: ["yes", "disk: the commit is synced (synchronous=FULL) before the acknowledgement"],
    P2: ["with our help", "partitions have one fenced owner, keys have lanes and are held while they wait"],
    P3: ["with our help", "counters commit with the position; retention waits for subscriptions unless forced"],
    P4: ["yes", "effects, publishes and position are one SQLite transaction"],
    P5: ["no", soon],
    P6: ["no", `${soon}; retries that are due later survive a crash`],
    P7: ["no", `${soon}; a seek opens a new run`],
    P8: ["yes", "each record carries a checksum that is verified when it is read"],
    P9: ["with our help", "publishers of the process are refused beyond a limit; units of work are not"],
  }),
  memory: table({
    P1: ["no", "nothing outlives the process"],
    P2: ["with our help", "as on sqlite"],
    P3: ["with our help", "as on sqlite, for as long as the process lives"],
    P4: ["yes", "effects, publishes and position are one transaction in memory"],
    P5: ["no", soon],
    P6: ["no", "nothing outlives the process"],
    P7: ["no", `${soon}; a seek opens a new run`],
    P8: ["no", "memory has no checksums"],
    P9: ["with our help", "as on sqlite"],
  }),
});
