// What the server holds in the end, and what was acknowledged, as a history for the checker.
import type { App } from "tidings";

import { type Effect, type History, type PositionSample } from "../../src/testing/check/history.ts";
import { readEnd } from "../crash/history.ts";
import { numbersOf, type Seen } from "../crash/seen.ts";
import { accountBox, copies, type Counted, counts, effects, seenBox } from "./app.ts";
import { type Answers, identityOfNumber, publishesOf } from "./published.ts";

/** Reads everything with an application that has no services. Whatever does not match its checksum is a problem. */
export async function historyOf(
  app: App,
  answers: Answers,
  positions: readonly PositionSample[],
): Promise<{ readonly history: History; readonly problems: readonly string[] }> {
  const read = await readEnd(app, [counts.name, effects.name, copies.name]);
  // Events have ids of their own or by chance: what they are is said by their data.
  const known = (data: unknown): string => identityOfNumber(data as Counted);
  const nameOf = ({ event, data, isRepeat }: (typeof read.entries)[number]): string => (isRepeat ? event : known(data));
  const byId = new Map(read.entries.map((entry) => [entry.event, nameOf(entry)]));
  const done: Effect[] = [];
  for (const { topic, data, key, isRepeat } of read.entries) {
    if (isRepeat) continue;
    if (topic === effects.name) done.push({ subscription: "counter/counts", name: topic, event: known(data), key });
    if (topic === copies.name) done.push({ subscription: "copier/counts", name: topic, event: known(data), key });
  }
  for await (const [key, seen] of app.state<Seen>("counter", seenBox).entries())
    for (const seq of numbersOf(seen))
      done.push({ subscription: "counter/counts", name: "seen", event: known({ key, seq }), key });
  let sum = 0;
  for await (const [, money] of app.state<number>("counter", accountBox).entries()) sum += money;
  const history: History = {
    publishes: [
      ...publishesOf(answers, counts.name),
      ...read.published.map((publish) => ({ ...publish, event: byId.get(publish.event) ?? publish.event })),
    ],
    log: read.entries.map((entry) => ({ ...entry, event: nameOf(entry) })),
    firsts: read.firsts,
    effects: done,
    subscriptions: read.subscriptions.map((each) => ({
      ...each,
      effects: each.subscription === "counter/counts" ? ["seen", effects.name] : [copies.name],
    })),
    held: read.held,
    deadLetters: read.deadLetters,
    ledgers: [{ name: accountBox, sum, expected: 0 }],
    positions,
    healed: true,
  };
  return { history, problems: read.problems };
}
