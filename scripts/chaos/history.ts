// What the server holds in the end, and what was acknowledged, as a history for the checker.
import type { App } from "tidings";

import { type Effect, type History, type PositionSample } from "../../src/testing/check/history.ts";
import { type Entry, readEnd } from "../crash/history.ts";
import { numbersOf, type Seen } from "../crash/seen.ts";
import { accountBox, copies, type Counted, counts, effects, seenBox } from "./app.ts";
import type { Told } from "./fleet.ts";
import { type Answers, identityOfNumber, publishesOf } from "./published.ts";

/** What else is known of a run. */
export interface Seeing {
  readonly answers: Answers;
  readonly positions: readonly PositionSample[];
  /** Without a store: what members have handled, as they told. */
  readonly told: readonly Told[] | undefined;
}

export interface Read {
  readonly history: History;
  /** Whatever does not match its checksum. */
  readonly problems: readonly string[];
  /** How often something was done that was done before: without a store that is no violation. */
  readonly again: number;
}

// Events have ids of their own or by chance: what they are is said by their data.
const known = (data: unknown): string => identityOfNumber(data as Counted);

/**
 * Reads everything with an application that has no services. Without a store what is done again is left out: what counts is
 * that each effect is there, and that those of a key come in order when each is done first.
 */
export async function historyOf(app: App, { answers, positions, told }: Seeing): Promise<Read> {
  const firsts = new Firsts();
  const read = await readEnd(
    app,
    [counts.name, effects.name, copies.name],
    ({ topic, data }) => told !== undefined && topic !== counts.name && !firsts.isFirst(`${topic} ${known(data)}`),
  );
  const nameOf = ({ event, data, isRepeat }: Entry): string => (isRepeat ? event : known(data));
  const byId = new Map(read.entries.map((entry) => [entry.event, nameOf(entry)]));
  const done = publishedBy(read.entries);
  let sum = 0;
  if (told) done.push(...firsts.of(told));
  else {
    for await (const [key, seen] of app.state<Seen>("counter", seenBox).entries())
      for (const seq of numbersOf(seen))
        done.push({ subscription: "counter/counts", name: "seen", event: known({ key, seq }), key });
    for await (const [, money] of app.state<number>("counter", accountBox).entries()) sum += money;
  }
  const beside = told ? "told" : "seen";
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
      effects:
        each.subscription === "counter/counts" ? [beside, effects.name] : [copies.name, ...(told ? [beside] : [])],
    })),
    held: read.held,
    deadLetters: read.deadLetters,
    ledgers: told ? [] : [{ name: accountBox, sum, expected: 0 }],
    positions,
    healed: true,
  };
  return { history, problems: read.problems, again: firsts.again };
}

/** What handlers have published. */
function publishedBy(entries: readonly Entry[]): Effect[] {
  const done: Effect[] = [];
  for (const { topic, data, key, isRepeat } of entries) {
    if (isRepeat || topic === counts.name) continue;
    const subscription = topic === effects.name ? "counter/counts" : "copier/counts";
    done.push({ subscription, name: topic, event: known(data), key });
  }
  return done;
}

/** Tells what is done first from what is done again. */
class Firsts {
  /** How often something was done again. */
  again = 0;
  readonly #seen = new Set<string>();

  isFirst(what: string): boolean {
    const { size } = this.#seen;
    if (this.#seen.add(what).size > size) return true;
    this.again += 1;
    return false;
  }

  /** What was told, in its order. */
  of(told: readonly Told[]): Effect[] {
    const effects: Effect[] = [];
    for (const { group, key, seq } of told.toSorted((a, b) => (a.at < b.at ? -1 : 1))) {
      const event = known({ key, seq });
      const subscription = `${group}/counts`;
      if (this.isFirst(`${group} told ${event}`)) effects.push({ subscription, name: "told", event, key });
    }
    return effects;
  }
}
