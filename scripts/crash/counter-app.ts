// The application of the scenarios "counter" and "fleet": events of each key carry numbers without gaps. A service keeps
// in a document per key what it has seen, moves money between accounts, and publishes an effect and a mark for each; three
// others note the effects and marks: with an inbox, at most once, and in batches from a topic whose events are removed. What
// stands on the topic of echoes stands there more than once, and the inbox of a fourth lets each through once.
import { type App, service, tidings, topic } from "tidings";
import { z } from "zod";

import { chanceOf } from "../../examples/shop/random.ts";
import { idOf } from "./publish.ts";
import { type Seen, withNumber } from "./seen.ts";
import { points } from "./speak.ts";
import { small, urlOf } from "./url.ts";

export const keyCount = 40;
const accountCount = 64;

const schema = z.object({ key: z.string(), seq: z.number() });
export type Counted = z.infer<typeof schema>;

export const counts = topic("counts", { key: (data: Counted) => data.key });
export const Counted = counts.event("crash.counted", { data: schema });
export const effects = topic("effects", { key: (data: Counted) => data.key });
export const Effect = effects.event("crash.effect", { data: schema });
export const marks = topic("marks", { key: (data: Counted) => data.key, retention: { partitionBytesMax: 2_500 } });
export const Mark = marks.event("crash.mark", { data: schema });
export const echoes = topic("echoes", { key: (data: Counted) => data.key });
export const Echo = echoes.event("crash.echo", { data: schema });
/** Of every so many events of a key there is an echo. */
export const echoEvery = 4;

/** The boxes of all services, and of the first one the one with the money. */
export const seenBox = "seen";
export const accountBox = "accounts";

/** How often the handling of an event fails before it succeeds; the ladder below allows for three times. */
function failuresOf(seed: number, what: string): number {
  let failures = 0;
  while (failures < 3 && chanceOf(`${seed}/${what}/${failures}`) < 0.03) failures++;
  return failures;
}

/** How an application of a scenario is opened. */
export interface CounterOptions {
  readonly file: string;
  readonly seed: number;
  /** Whether it has its services, or only looks. */
  readonly services: boolean;
  /** A name of which nobody can tell whether its process lives, so that its leases have to expire. */
  readonly memberId?: string;
  readonly memberTtlMs?: number;
}

export function openCounter({ file, seed, services, ...member }: CounterOptions): App {
  const fails = (name: string, data: Counted, attempt: number): boolean =>
    attempt <= failuresOf(seed, `${name}/${idOf(data)}`);
  const counter = service("counter", { from: "start" }).on(Counted, async ({ data }, ctx) => {
    points.reached("handler.before");
    const box = ctx.state<Seen>(seenBox);
    box.set(data.key, withNumber(await box.get(data.key), data.seq));
    ctx.publish(Effect, data);
    ctx.publish(Mark, data);
    if (data.seq % echoEvery === 0) ctx.publish(Echo, data);
    if (data.seq % 8 === 0) {
      const [from, to] = [0, 1].map((n) => `${Math.floor(chanceOf(`${idOf(data)}/${n}`) * accountCount)}`) as [
        string,
        string,
      ];
      const accounts = ctx.state<number>(accountBox);
      accounts.set(from, ((await accounts.get(from)) ?? 0) - data.seq);
      accounts.set(to, ((await accounts.get(to)) ?? 0) + data.seq);
    }
    points.reached("handler.after");
    // When the work is done, so that a failure must take all of it back.
    if (fails("counter", data, ctx.attempt)) throw new Error("A planted failure.");
    points.handlerEnded();
  });
  const auditor = service("auditor", { from: "start", inbox: { windowMs: 1_000 } }).on(
    Effect,
    async ({ data }, ctx) => {
      if (fails("auditor", data, ctx.attempt)) throw new Error("A planted failure.");
      const box = ctx.state<Seen>(seenBox);
      box.set(data.key, withNumber(await box.get(data.key), data.seq));
    },
  );
  const teller = service("teller", { from: "start", guarantee: "at-most-once" }).on(Effect, async ({ data }, ctx) => {
    const box = ctx.state<Seen>(seenBox);
    box.set(data.key, withNumber(await box.get(data.key), data.seq));
  });
  const marker = service("marker", { from: "start" }).onBatch(
    Mark,
    async (items) => {
      for (const { event, ctx } of items) {
        const box = ctx.state<Seen>(seenBox);
        box.set(event.data.key, withNumber(await box.get(event.data.key), event.data.seq));
      }
    },
    { batchMax: 20, waitMs: 5 },
  );
  const listener = service("listener", { from: "start", inbox: { windowMs: 600_000 } }).on(
    Echo,
    async ({ data }, ctx) => {
      const box = ctx.state<Seen>(seenBox);
      box.set(data.key, withNumber(await box.get(data.key), data.seq));
    },
  );
  return tidings({
    name: "crash",
    url: urlOf(file, small),
    services: services ? [counter, auditor, teller, marker, listener] : [],
    topics: [counts, effects, marks, echoes],
    // Kills are at random and many: none of them is the fault of the event that was running.
    delivery: { retry: { immediateMs: [0, 5], delayedMs: [10, 20, 40], stallsMax: 1000 } },
    retentionEveryMs: 60,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    ...member,
  });
}
