// The application of the chaos harness: events of each key carry numbers without gaps, as in the crash harness. One group
// keeps what it has seen in a document per key, moves money and publishes an effect; the other only passes each event on,
// so that nothing but the fence of its partition stands between it and doing it twice. Without a store both only react: they
// publish, and tell the harness of each event that they handle.
import { setTimeout as sleep } from "node:timers/promises";
import { type App, type AppOptions, service, type Service, tidings, topic } from "tidings";
import { z } from "zod";

import { chanceOf } from "../../examples/shop/random.ts";
import { accountBox, Counted, counts, Effect, effects, keyCount, seenBox } from "../crash/counter-app.ts";
import { idOf } from "../crash/publish.ts";
import { type Seen, withNumber } from "../crash/seen.ts";
import { say } from "../crash/speak.ts";

export { accountBox, Counted, counts, effects, keyCount, seenBox };

export const copies = topic("copies", { key: (data: Counted) => data.key });
const Copy = copies.event("chaos.copy", { data: z.object({ key: z.string(), seq: z.number() }) });

/** So many that members seldom want the same one at a time. */
const accountCount = 4096;
/** Most that a copy takes, so that somebody is always at work when a fault comes. */
const workMs = 40;
const partitions = 8;

export const groups = ["counter", "copier"] as const;
export type GroupName = (typeof groups)[number];

function serviceOf(name: GroupName): Service {
  if (name === "copier")
    return service("copier", { from: "start" }).on(Counted, async ({ data }, ctx) => {
      await sleep(chanceOf(idOf(data)) * workMs);
      ctx.publish(Copy, data);
    });
  return service("counter", { from: "start" }).on(Counted, async ({ data }, ctx) => {
    const box = ctx.state<Seen>(seenBox);
    box.set(data.key, withNumber(await box.get(data.key), data.seq));
    ctx.publish(Effect, data);
    if (data.seq % 8 !== 7) return;
    const accounts = ctx.state<number>(accountBox);
    for (const [n, sign] of [-1, 1].entries()) {
      const account = `${Math.floor(chanceOf(`${idOf(data)}/${n}`) * accountCount)}`;
      accounts.set(account, ((await accounts.get(account)) ?? 0) + sign * data.seq);
    }
  });
}

/** As much as is to be had without a store: each event may be handled again, and its effects may be there again. */
function reactingOf(name: GroupName): Service {
  return service(name, { from: "start", guarantee: "at-least-once", onFailure: "blockPartition" }).on(
    Counted,
    async ({ data }, ctx) => {
      if (name === "copier") await sleep(chanceOf(idOf(data)) * workMs);
      // All processes of a machine have one monotonic clock.
      say(`did ${process.hrtime.bigint()} ${data.seq} ${data.key}`);
      if (name === "copier") ctx.publish(Copy, data);
      else ctx.publish(Effect, data);
    },
  );
}

/** How an application of the harness is opened. */
export interface ChaosOptions {
  readonly url: string;
  /** Where state lives, when it is apart from the broker; empty when there is none but the broker's journal. */
  readonly store?: string;
  readonly group?: GroupName;
  readonly memberTtlMs?: number;
  readonly stuckAfterMs?: number;
}

export function openChaos({ url, group, ...member }: ChaosOptions, engine?: AppOptions["engine"]): App {
  const services = group === undefined ? [] : [member.store === "" ? reactingOf(group) : serviceOf(group)];
  return tidings({
    name: "crash",
    ...(engine ? { engine } : { url }),
    services,
    topics: [counts, effects, copies],
    partitions,
    // Deaths are many, and none of them is the fault of the event that was running.
    delivery: { retry: { immediateMs: [0, 5], delayedMs: [10, 20, 40], stallsMax: 1000 } },
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    ...member,
  });
}
