// The lives of all orders as one stream in the order of event time, with marks of progress in it.
import { createHash } from "node:crypto";

import { FeedAdvanced } from "../events.ts";
import { type Fact, fact, lifeOf } from "./life.ts";
import type { Order } from "./order.ts";

/** A mark follows so many facts, and the last fact. */
const markEvery = 500;

export interface Timeline {
  /** Told from the orders themselves: other orders, another feed. */
  readonly feed: string;
  /** For people: the folder, or the generator with its seed. */
  readonly name: string;
  /** In event time; facts of the same instant in the order of the orders and of each order's life. */
  readonly facts: readonly Fact[];
  readonly orderIds: readonly string[];
}

export function timelineOf(orders: readonly Order[], name: string): Timeline {
  const feed = createHash("sha256").update(JSON.stringify(orders)).digest("hex").slice(0, 12);
  const facts = orders.flatMap(lifeOf).sort((a, b) => a.timeMs - b.timeMs);
  return { feed, name, facts: [...withMarks(feed, name, facts)], orderIds: orders.map(({ orderId }) => orderId) };
}

/**
 * Every mark says how many entries of the timeline stand up to and with itself. They stand at fixed places, so that a run
 * that was interrupted publishes the same events as one that was not.
 */
function* withMarks(feed: string, name: string, facts: readonly Fact[]): Generator<Fact> {
  const total = facts.length + Math.max(1, Math.ceil(facts.length / markEvery));
  let published = 0;
  for (const [index, each] of facts.entries()) {
    published++;
    yield each;
    if ((index + 1) % markEvery === 0 && index + 1 < facts.length) yield mark(each.timeMs);
  }
  yield mark(facts.at(-1)?.timeMs ?? 0);

  function mark(timeMs: number): Fact {
    published++;
    return fact(FeedAdvanced, { feed, name, published, total }, `${feed}:${published}`, feed, timeMs);
  }
}
