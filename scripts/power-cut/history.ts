// What an image holds and what was promised, in the words of the checker that all harnesses share.
import type {
  Effect,
  HeldEvent,
  History,
  LogEntry,
  Publish,
  SubscriptionEnd,
  Totals,
} from "../../src/testing/check/history.ts";
import type { Content, Entry } from "./content.ts";
import type { Known } from "./known.ts";
import { accounts, callOf, idOf, saidBy, textBy } from "./workload/events.ts";

/** Topics of which nothing is removed. */
const kept = ["orders", "effects", "moves"];

/** The history up to the cut; `healed` when everything was handled afterwards. */
export function historyOf(content: Content, known: Known, healed: boolean): History {
  const entries = content.logs.filter(({ topic }) => kept.includes(topic)).flatMap((log) => log.entries);
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const sum = [...content.accounts.values()].reduce((all, { account }) => all + account.balance, 0);
  return {
    publishes: publishesOf(known),
    log: entries.map(logged),
    effects: effectsOf(entries, byId),
    subscriptions: content.totals.map((totals) => endOf(content, totals)),
    held: heldOf(content, byId),
    deadLetters: [],
    ledgers: [{ name: accounts.join("+"), sum, expected: 0 }],
    healed,
  };
}

/** Everything that somebody has tried to publish, in the order of the calls. */
function publishesOf({ tried, acknowledged }: Known): Publish[] {
  const publishes: Publish[] = [];
  for (const [place, last] of tried) {
    const [topic = "", by = ""] = place.split("/");
    if (!kept.includes(topic)) continue;
    const told = new Set((acknowledged.get(topic) ?? []).filter((each) => each.by === by).map(({ n }) => n));
    const numbers = new Map<string, number>();
    for (let n = 0; n <= last; n++) {
      const data = saidBy(by, n);
      const { key } = data;
      const seq = numbers.get(key) ?? 0;
      numbers.set(key, seq + 1);
      const event = { event: idOf(data), key, payload: textBy(by, n) };
      const batch = topic === "orders" ? { batch: `${by} ${callOf(n).join(" ")}` } : {};
      publishes.push({
        ...event,
        ...batch,
        topic,
        producer: by,
        seq,
        answer: told.has(n) ? "acknowledged" : "unknown",
      });
      if (topic === "orders") publishes.push({ ...event, topic: "effects", answer: "unknown" });
    }
  }
  return publishes;
}

function logged({ topic, partition, position, key, text, data }: Entry): LogEntry {
  return { event: idOf(data), topic, partition, position, key, payload: text };
}

/** Effects by the orders that have caused them; those without a cause are found by the check of the units of work. */
function effectsOf(entries: readonly Entry[], byId: ReadonlyMap<string, Entry>): Effect[] {
  return entries.flatMap(({ topic, causationid = "" }) => {
    const cause = topic === "effects" ? byId.get(causationid) : undefined;
    if (!cause) return [];
    return [{ subscription: "counter/orders", name: "published", event: idOf(cause.data), key: cause.key }];
  });
}

function endOf({ positions }: Content, all: Content["totals"][number]): SubscriptionEnd {
  const { subscription, topic, service } = all;
  const { handled, held, discarded, filtered, expired, skipped, unknown, pending, total } = all;
  const totals: Totals = { handled, held, discarded, filtered, expired, skipped, unknown, pending, total };
  const partitions = [...positions]
    .filter(([place]) => place.startsWith(`${subscription}/`))
    .map(([place, { start, low, finished }]) => ({ partition: Number(place.split("/").at(-1)), start, low, finished }));
  return {
    subscription,
    topic,
    totals,
    partitions,
    ...(service === "counter" ? { effects: ["published"] } : {}),
    ...(service === "once" ? { mayLose: true } : {}),
  };
}

function heldOf({ held }: Content, byId: ReadonlyMap<string, Entry>): HeldEvent[] {
  return [...held].flatMap(([subscription, ids]) =>
    [...ids].map((id) => {
      const entry = byId.get(id);
      return { subscription, event: entry ? idOf(entry.data) : id, key: entry?.key ?? null, waitsFor: "time" as const };
    }),
  );
}
