// The application of the scenario "counter": events of each key carry numbers without gaps, a service counts them in a
// document per key and publishes an effect for each, and another service counts the effects.
import { type App, service, tidings, topic } from "tidings";
import { z } from "zod";

import { chanceOf } from "../../examples/shop/random.ts";

export const keyCount = 40;

const schema = z.object({ key: z.string(), seq: z.number() });
export type Counted = z.infer<typeof schema>;

export const counts = topic("counts", { key: (data: Counted) => data.key });
export const Counted = counts.event("crash.counted", { data: schema });
export const effects = topic("effects", { key: (data: Counted) => data.key });
export const Effect = effects.event("crash.effect", { data: schema });

/** The n-th event: keys take turns in no simple order, and each has numbers from 0 on. */
export function countedOf(n: number): Counted {
  const round = Math.floor(n / keyCount);
  const key = ((n % keyCount) * 7 + round * 3) % keyCount;
  return { key: `key-${key}`, seq: round };
}

/** An id that is the same whenever the event is published again. */
export function idOf({ key, seq }: Counted): string {
  return `${key}:${seq}`;
}

/** What a service keeps of each key. */
export interface Count {
  readonly count: number;
  /** Number of the last event seen. */
  readonly last: number;
  /** How often a number came that did not follow the last one. */
  readonly reordered: number;
}

export const counterBox = "counts";

/** How often the handling of an event fails before it succeeds; the ladder below allows for three times. */
function failuresOf(seed: number, what: string): number {
  let failures = 0;
  while (failures < 3 && chanceOf(`${seed}/${what}/${failures}`) < 0.03) failures++;
  return failures;
}

function next(count: Count | undefined, seq: number): Count {
  const { count: before, last, reordered } = count ?? { count: 0, last: -1, reordered: 0 };
  return { count: before + 1, last: seq, reordered: reordered + (seq === last + 1 ? 0 : 1) };
}

export function openCounter(file: string, seed: number, services = true): App {
  const counter = service("counter", { from: "start" }).on(Counted, async ({ data }, ctx) => {
    const box = ctx.state<Count>(counterBox);
    box.set(data.key, next(await box.get(data.key), data.seq));
    ctx.publish(Effect, data);
    // When the work is done, so that a failure must take all of it back.
    if (ctx.attempt <= failuresOf(seed, `counter/${idOf(data)}`)) throw new Error("A planted failure.");
  });
  const auditor = service("auditor", { from: "start" }).on(Effect, async ({ data }, ctx) => {
    if (ctx.attempt <= failuresOf(seed, `auditor/${idOf(data)}`)) throw new Error("A planted failure.");
    const box = ctx.state<Count>(counterBox);
    box.set(data.key, next(await box.get(data.key), data.seq));
  });
  return tidings({
    name: "crash",
    url: `sqlite:${file}`,
    services: services ? [counter, auditor] : [],
    topics: [counts, effects],
    // Kills are at random and many: none of them is the fault of the event that was running.
    delivery: { retry: { immediateMs: [0, 5], delayedMs: [10, 20, 40], stallsMax: 1000 } },
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });
}
