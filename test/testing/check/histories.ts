// A history in which everything holds, for tests that break one thing in it.
import type { History, LogEntry, Publish, Totals } from "../../../src/testing/check/history.ts";

const places = [
  ["e1", "a", 0, 0],
  ["e2", "b", 0, 1],
  ["e3", "a", 0, 2],
  ["e4", "c", 1, 0],
  ["e5", "c", 1, 1],
] as const;

export const log: readonly LogEntry[] = places.map(([event, key, partition, position]) => ({
  event, topic: "orders", partition, position, key, type: "placed", payload: `data of ${event}`,
})); // prettier-ignore

export const publishes: readonly Publish[] = log.map(({ event, topic, key, partition, position, payload }) => ({
  event, topic, key, partition, position, answer: "acknowledged", producer: "web", seq: Number(event.slice(1)), payload: payload as string,
})); // prettier-ignore

const totals: Totals = {
  handled: 3, held: 1, discarded: 1, filtered: 0, expired: 0, skipped: 0, unknown: 0, pending: 0, total: 5,
}; // prettier-ignore

/** e4 is discarded, e5 a dead letter; the others are handled. */
export const sound = {
  publishes,
  log,
  effects: ["e1", "e2", "e3"].flatMap((event) =>
    ["count", "published"].map((name) => ({
      subscription: "billing/orders",
      name,
      event,
      key: log.find((entry) => entry.event === event)?.key ?? null,
    })),
  ),
  runs: [
    { subscription: "billing/orders", member: "one", event: "e1", key: "a", begin: 1, end: 3, payload: "data of e1" },
    { subscription: "billing/orders", member: "one", event: "e2", key: "b", begin: 2, end: 5, payload: "data of e2" },
    { subscription: "billing/orders", member: "one", event: "e3", key: "a", begin: 3, end: 6, payload: "data of e3" },
  ],
  subscriptions: [
    {
      subscription: "billing/orders",
      topic: "orders",
      types: ["placed"],
      effects: ["count", "published"],
      totals,
      partitions: [
        { partition: 0, start: 0, low: 2, finished: [[2, 2]] as const },
        { partition: 1, start: 0, low: 2, finished: [] },
      ],
    },
  ],
  held: [{ subscription: "billing/orders", event: "e5", key: "c" }],
  deadLetters: [
    { id: "d1", subscription: "billing/orders", event: "e4", key: "c", state: "discarded", failures: 1 },
    { id: "d2", subscription: "billing/orders", event: "e5", key: "c", state: "open", failures: 4 },
  ],
  deadLettersSeen: ["d1", "d2"],
  poison: [{ subscription: "billing/orders", event: "e5", failures: 4 }],
  positions: [
    { subscription: "billing/orders", partition: 0, run: 1, low: 0 },
    { subscription: "billing/orders", partition: 0, run: 1, low: 2 },
    { subscription: "billing/orders", partition: 0, run: 2, low: 1 },
  ],
  ownership: [
    { lease: "partition/0", owner: "one", token: 1 },
    { lease: "partition/0", owner: "two", token: 2 },
    { lease: "partition/0", owner: "two", token: 2 },
  ],
  ledgers: [{ name: "money", sum: 0, expected: 0 }],
  timers: [{ subscription: "billing/orders", event: "e1", dueAtMs: 100, firedAtMs: 100 }],
  resources: [{ name: "in flight", peak: 12, cap: 12 }],
  traces: [{ seed: "1-000001", first: "ab", second: "ab" }],
  dependencies: [
    {
      name: "bank",
      breaker: "open",
      isStuck: false,
      probesMost: 1,
      rate: { perSecond: 10, most: 3, slackMs: 100 },
      beganAtMs: [0, 0, 1, 2, 100, 200, 900],
    },
  ],
  charges: [{ subscription: "billing/orders", key: "c", code: "TIDINGS_HANDLER_TIMEOUT" }],
  redrives: [
    {
      id: "r1",
      state: "done",
      ended: true,
      counts: { covered: 3, moved: 2, succeeded: 1, failedAgain: 1, setAside: 0, skipped: 1 },
      sent: [
        { deadLetter: "d0", outcome: "handled", isStopped: false },
        { deadLetter: "d2", outcome: "failed", isStopped: false },
      ],
      batches: [
        { atMs: 1000, size: 2, most: 2 },
        { atMs: 2000, size: 1, most: 2 },
      ],
      perSecond: 2,
    },
  ],
  healed: true,
} satisfies History;
