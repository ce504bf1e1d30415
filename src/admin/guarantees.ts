/** Whether a promise holds: by the engine itself, by what tidings does above its port, or not at all. */
export type Holds = "yes" | "with our help" | "no";

/** A promise on one engine. */
export interface Guarantee {
  readonly promise: `P${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}`;
  readonly title: string;
  readonly holds: Holds;
  /** What it means there, and what it rests on. */
  readonly note: string;
  /** The tests of the repository that hold it up, as `file › title`; none where it does not hold. */
  readonly tests: readonly string[];
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

type Promised = keyof typeof titles;

const soon = "not in this version";

/** Promises of what is to come, on engines that outlive a process. */
const later = {
  P5: ["no", soon],
  P6: ["no", `${soon}; retries that are due later survive a crash`],
  P7: ["no", `${soon}; a seek opens a new run`],
} as const;

/** Tests of what tidings does above the ports: the same on every engine. */
const above = {
  P2: [
    "test/delivery/held-order.property.test.ts › the events of a key succeed in the order of their publication, also across a crash, and all are accounted for",
    "test/delivery/order-and-retry.test.ts › run one at a time in order, and those of other keys beside them",
    "src/conformance/topics/order.ts › publishes that nobody waits for stand in the order of the calls",
    "test/delivery/crash.test.ts › another member takes over, and the paused one that comes back changes nothing",
  ],
  P3: [
    "test/delivery/order-and-retry.test.ts › becomes a dead letter when the ladder is used up, and keeps its key in order behind it",
    "test/app/retention.test.ts › waits for what a subscription has not handled",
    "test/app/retention.test.ts › that is forced pauses a subscription that has lost events, and says how many",
  ],
  P4: [
    "test/delivery/crash.test.ts › what was running runs again first, and every effect happens once",
    "test/delivery/unit-of-work.test.ts › loses no update when many keys write one document",
    "test/delivery/crash.test.ts › another member takes over, and the paused one that comes back changes nothing",
  ],
  P9: [
    "test/app/bad-input.test.ts › is refused at once when too much waits, and accepted work is kept",
    "test/app/overload.test.ts › lets in as much as it handles while it is at its limit, and keeps all that was accepted",
    "test/app/overload.test.ts › shares what it can take among the processes that publish, also with one that comes later",
    "test/app/overload-units.test.ts › are never refused: a consumer that publishes to its own topic comes to its end",
    "test/app/overload-units.test.ts › go on in a circle of services that are all beyond their limits",
    "test/app/overload.property.test.ts › whatever publishers offer, and whoever dies: about as much is let in as is handled, nothing accepted is lost, and calm returns",
  ],
};

function table(
  entries: Readonly<Record<Promised, readonly [holds: Holds, note: string, tests?: readonly string[]]>>,
): readonly Guarantee[] {
  return Object.freeze(
    Object.entries(entries).map(([promise, [holds, note, tests = []]]) =>
      Object.freeze({ promise: promise as Promised, title: titles[promise as Promised], holds, note, tests }),
    ),
  );
}

const relayed =
  "test/outbox/relay.property.test.ts › whatever dies and whatever is not known, what handlers publish is handled once, and in order of its key";

/** On brokers that hold no state: what services promise with a store beside them. */
const withStore = {
  P2: [
    "with our help",
    "as on sqlite, with a store beside it, through whose outbox what handlers publish goes in order",
    [...above.P2, relayed],
  ],
  P3: [
    "with our help",
    "positions, counters and dead letters stand in the store; what is not sent yet, or refused by the broker, in its outbox",
    [
      ...above.P3,
      "test/outbox/relay.test.ts › sends what a dead process had left in its outbox, in order and once",
      "test/outbox/parked.test.ts › waits in the outbox with the later ones of its key, and all others are sent",
    ],
  ],
  P4: [
    "with our help",
    "effects, position and what is published are one transaction of the store; what its relay sends twice is dropped by our consumers",
    [
      ...above.P4,
      relayed,
      "test/outbox/relay.test.ts › handles each event once when the relay does not know what became of what it has sent",
    ],
  ],
  P5: ["no", soon],
  P6: ["no", `${soon}; retries that are due later survive a crash, in the store`],
  P7: ["no", `${soon}; a seek opens a new run`],
} as const;

/** By engine, what is promised; `tidings doctor` prints it, and docs/guarantees.md is made of it. */
export const guarantees: Readonly<Record<string, readonly Guarantee[]>> = Object.freeze({
  sqlite: table({
    P1: [
      "yes",
      "disk: the commit is synced (synchronous=FULL) before the acknowledgement",
      [
        "test/engines/sqlite/open.test.ts › sets what the promises rest on, and reads it back, also on an old file",
        "test/engines/sqlite/processes.test.ts › lose nothing that was acknowledged when they are killed",
        "test/engines/sqlite/commits.test.ts › a full disk refuses publishes with a code, reading goes on, and publishing resumes when there is space",
      ],
    ],
    P2: ["with our help", "partitions have one fenced owner, keys have lanes and are held while they wait", above.P2],
    P3: [
      "with our help",
      "counters commit with the position; retention waits for subscriptions unless forced",
      above.P3,
    ],
    P4: [
      "yes",
      "effects, publishes and position are one SQLite transaction",
      [
        ...above.P4,
        "test/app/sqlite.test.ts › runs the user's SQL inside the commit, once, and not when the handler fails",
      ],
    ],
    ...later,
    P8: [
      "yes",
      "each record carries a checksum that is verified when it is read",
      [
        "src/conformance/topics/read.ts › a record that was damaged in the store is refused and never served",
        "test/engines/sqlite/records.test.ts › a chunk in which any byte was changed is told from a good one",
      ],
    ],
    P9: [
      "with our help",
      "publishers are refused beyond limits of their process and of each subscription; units of work are not",
      [
        ...above.P9,
        "test/app/overload-processes.test.ts › publishers in another process on one file are refused, and what they were told is accepted is handled, also when they are killed",
      ],
    ],
  }),
  postgres: table({
    P1: [
      "yes",
      "disk: the commit is synced (fsync and synchronous_commit on, looked at) before the acknowledgement; a standby takes over only what has reached it",
      [
        "test/engines/postgres/durability.test.ts › are synced before they are acknowledged, whatever the role's settings say",
        "test/engines/postgres/resilience.test.ts › under load nothing acknowledged is lost, and what is repeated under its id is there once",
      ],
    ],
    P2: [
      "with our help",
      "as on sqlite; positions are allotted under a lock that is held to the commit",
      [
        ...above.P2,
        "test/engines/postgres/concurrency.test.ts › never see an event behind one that a transaction has placed and not yet committed",
      ],
    ],
    P3: [
      "with our help",
      "as on sqlite; a store that was set back stops its members instead of being waited for",
      [
        ...above.P3,
        "test/engines/postgres/replaced.test.ts › stops it for good with what to do, and one that is started again goes on from what is there",
      ],
    ],
    P4: [
      "yes",
      "effects, publishes, SQL of the user and position are one transaction",
      [
        ...above.P4,
        "src/conformance/transact/sql.ts › user SQL commits with the transaction, each function called once and in order",
        "test/engines/postgres/concurrency.test.ts › carries events with rows of the user's own, both or neither",
      ],
    ],
    ...later,
    P8: [
      "yes",
      "each record carries a checksum that is verified when it is read",
      ["src/conformance/topics/read.ts › a record that was damaged in the store is refused and never served"],
    ],
    P9: ["with our help", "as on sqlite", above.P9],
  }),
  redis: table({
    P1: [
      "yes",
      "disk: the append-only file is synced (appendfsync always, looked at) before the acknowledgement; with durability=weak confirmed",
      [
        "test/engines/redis/durability.test.ts › is refused with the setting that is wrong, unless the loss was accepted",
        "test/engines/redis/durability.test.ts › has lost nothing acknowledged and keeps order, however often the server dies under load",
      ],
    ],
    ...withStore,
    P8: [
      "yes",
      "each record of ours carries a checksum that is verified when it is read",
      ["src/conformance/topics/read.ts › a record that was damaged in the store is refused and never served"],
    ],
    P9: ["with our help", "as on sqlite", above.P9],
  }),
  nats: table({
    P1: [
      "yes",
      "replicated: three servers or more hold it (2.11 or newer) before the acknowledgement; disk where the operator states that they sync; with durability=weak confirmed",
      [
        "test/engines/nats/opening.test.ts › is refused unless its durability can be held, with the reason and the way out",
        "test/engines/nats/resilience.test.ts › nothing acknowledged is lost, nothing stands twice, and the order of the calls holds",
      ],
    ],
    ...withStore,
    P8: [
      "yes",
      "each record of ours carries a checksum that is verified when it is read",
      [
        "test/engines/nats/interop.test.ts › that was damaged is refused with its place and told by verify, and what stands before it is served",
      ],
    ],
    P9: ["with our help", "as on sqlite", above.P9],
  }),
  kafka: table({
    P1: [
      "yes",
      "replicated: two in-sync replicas of three or more hold it (min.insync.replicas, looked at) before the acknowledgement; disk: the broker syncs each write (flush.messages=1, looked at); with durability=weak confirmed",
      [
        "test/engines/kafka/opening.test.ts › is refused unless its durability can be held, with the reason and the way out",
        "test/engines/kafka/opening.test.ts › that does not sync is refused where that was promised",
        "test/engines/kafka/resilience.test.ts › nothing acknowledged is lost, nothing stands twice, and the order of the calls holds",
        "test/engines/kafka/cluster.test.ts › holds what is acknowledged, once and in order, when one after the other is killed under load",
      ],
    ],
    ...withStore,
    P8: [
      "yes",
      "each record of ours carries a checksum that is verified when it is read, and what others wrote that of its batch",
      [
        "test/engines/kafka/interop.test.ts › that was damaged is refused with its place and told by verify, and what stands before it is served",
      ],
    ],
    P9: ["with our help", "as on sqlite", above.P9],
  }),
  rabbitmq: table({
    P1: [
      "yes",
      "replicated where the operator states that three servers or more hold a stream; with durability=weak confirmed: a server acknowledges before it syncs, and no setting changes that",
      [
        "test/engines/rabbitmq/opening.test.ts › is refused unless its durability is stated, with the reason and the way out",
        "test/engines/rabbitmq/resilience.test.ts › nothing acknowledged is lost, nothing stands twice, and the order of the calls holds",
      ],
    ],
    ...withStore,
    P8: [
      "yes",
      "each record of ours carries a checksum that is verified when it is read",
      [
        "test/engines/rabbitmq/interop.test.ts › that was damaged is refused with its place and told by verify, and what stands before it is served",
      ],
    ],
    P9: ["with our help", "as on sqlite", above.P9],
  }),
  memory: table({
    P1: ["no", "nothing outlives the process"],
    P2: ["with our help", "as on sqlite", above.P2],
    P3: ["with our help", "as on sqlite, for as long as the process lives", above.P3],
    P4: ["yes", "effects, publishes and position are one transaction in memory", above.P4],
    P5: ["no", soon],
    P6: ["no", "nothing outlives the process"],
    P7: ["no", `${soon}; a seek opens a new run`],
    P8: ["no", "memory has no checksums"],
    P9: ["with our help", "as on sqlite", above.P9],
  }),
});
