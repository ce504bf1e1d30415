// The services of the simulated workload. Each leaves a trace of every event in two places that must agree: a list in its
// state and an event. Money moves between keys, and all of it together stays nothing.
import {
  ConflictError,
  type Context,
  type Dependency,
  dependency,
  PauseError,
  RetryAfterError,
  type Service,
  service,
  TerminalError,
} from "tidings";
import { Dice } from "../../src/testing/sim/dice.ts";
import type { NodeStart } from "../../src/testing/sim/options.ts";

import { Finished, Noted, type Work, Worked } from "./contracts.ts";

/** A place in the topic: partition and position. */
export type Place = readonly [partition: number, position: number];

export const retry = { immediateMs: [0, 20], delayedMs: [200, 1000, 4000], jitter: "full" } as const;
/** After so many failures an event that always fails is given up. */
export const triesMax = 1 + retry.immediateMs.length + retry.delayedMs.length;

export const seen = "seen";
export const accounts = "accounts";

/** Services that a seed may have besides the ledger. */
const others = ["swift", "batch", "loose", "most", "inbox", "audit", "noted", "strict"] as const;

/** Which services a seed has. */
export function servicesOfSeed(seed: number): readonly string[] {
  const dice = new Dice(seed, "services");
  const share = dice.one([0.1, 0.3, 0.5]);
  return ["ledger", ...others.filter((name) => dice.chance(name === "swift" ? 0.6 : share))];
}

type Handle = (event: { readonly data: Work }, ctx: Context) => Promise<void>;

/** What stands in the way of success; throws in every way there is. */
async function trouble(name: string, { n, how, times }: Work, ctx: Context, { outside, die, swarm }: NodeStart) {
  const id = `${name} ${n}`;
  const failures = outside.get(id) ?? 0;
  outside.set(id, failures + 1);
  // Where a partition waits for one event, that one is tried for ever.
  const mortal = name !== "strict" || failures < times;
  if (how === "poison" && mortal) throw new Error("always");
  // Where operators redrive at large, somebody mends what is wrong with these meanwhile.
  const isMended =
    failures >= times && swarm.kinds.some((kind) => kind === "redrive-operation" || kind === "undo-discard");
  if (how === "terminal" && mortal && !isMended) throw new TerminalError("never");
  if (how === "deadly" && mortal) {
    die();
    // The process is gone, and nothing of it goes on.
    await new Promise(() => undefined);
  }
  if (how === "sleeps") await ctx.sleep(times * 40);
  if (failures >= times) return;
  if (how === "fails") throw new Error("not yet");
  if (how === "later") throw new RetryAfterError("later", 70 * times);
  if (how === "conflict") throw new ConflictError("again");
  if (how === "pauses") throw new PauseError("nobody now", 100 * times);
  if (how === "slow") await ctx.sleep(10_000);
  // The ways of throwing that nobody thinks of.
  if (how === "strange") throw undefined as unknown as Error;
}

/** Remembers that an event was handled, and tells of it. */
async function note(name: string, { key, n }: { readonly key: string; readonly n: number }, ctx: Context) {
  const box = ctx.state<readonly Place[]>(seen);
  const before = (await box.get(key)) ?? [];
  const { partition, position } = ctx;
  box.set(key, [...before, [partition, position]]);
  // Two services choose the same ids: their sources tell them apart.
  const chosen = name === "ledger" || name === "strict" ? { id: `done-${partition}-${position}` } : {};
  ctx.publish(Finished, { service: name, key, partition, position, n }, chosen);
}

/** Money moves from the account of the key to another one, which other keys write, too. */
async function move({ key, to, amount }: Work, ctx: Context) {
  const box = ctx.state<number>(accounts);
  box.set(key, ((await box.get(key)) ?? 0) - amount);
  box.set(to, ((await box.get(to)) ?? 0) + amount);
}

/** What some services call outside, in seeds in which that may fail. */
function bankOf({ seed, swarm }: NodeStart): { readonly bank: Dependency; readonly dice: Dice } | undefined {
  if (!swarm.kinds.includes("dependency-fails")) return undefined;
  const dice = new Dice(seed, "bank");
  const openMs = dice.one([100, 500, 2000]);
  const trips = dice.one([{ failures: dice.whole(1, 4) }, { ratio: dice.one([0.3, 0.8]), minimum: dice.whole(2, 6) }]);
  const rate = dice.one([undefined, { perSecond: 20 }, { perSecond: 5, burst: 2 }, { perSecond: 100 }]);
  const breaker = { ...trips, openMs, openMsMax: dice.one([openMs, 4000]) };
  return { bank: dependency("bank", { breaker, ...(rate ? { rate } : {}) }), dice };
}

export function services(start: NodeStart): readonly Service[] {
  const { epoch, swarm, seed, outside } = start;
  const calls = bankOf(start);
  const dice = new Dice(seed, "options");
  const options = {
    epoch,
    from: "start",
    concurrency: swarm.concurrency,
    prefetch: { events: swarm.prefetchEvents },
    timeoutMs: 3000,
    retry: { ...retry, stallsMax: 3 },
    // Some wait before they begin, some find out when they call.
    ...(calls?.dice.chance(0.5) === true ? { uses: [calls.bank] } : {}),
  } as const;
  const handle = (name: string, money = false): Handle => {
    // In this order the failure must take everything back, in the other one it comes first.
    const late = dice.chance(0.5);
    const bank = calls?.dice.chance(0.7) === true ? calls.bank : undefined;
    return async ({ data }, ctx) => {
      if (bank) await ctx.call(bank, () => start.reach(bank, () => ctx.sleep(data.n % 50)));
      const place = `began ${name} ${ctx.partition}:${ctx.position}`;
      outside.set(place, (outside.get(place) ?? 0) + 1);
      if (!late) await trouble(name, data, ctx, start);
      await note(name, data, ctx);
      if (money) await move(data, ctx);
      if (late) await trouble(name, data, ctx, start);
    };
  };
  const all: Record<string, () => Service> = {
    ledger: () => service("ledger", options).on(Worked, handle("ledger", true)),
    batch: () =>
      service("batch", options).onBatch(
        Worked,
        async (items) => {
          for (const item of items) {
            const { event, ctx } = item;
            try {
              await trouble("batch", event.data, ctx, start);
              await note("batch", event.data, ctx);
            } catch (error) {
              item.fail(error);
            }
          }
        },
        { batchMax: dice.whole(2, 10), waitMs: dice.whole(0, 50) },
      ),
    loose: () => service("loose", { ...options, guarantee: "at-least-once", onFailure: "skipAhead" }).on(Worked, handle("loose")), // prettier-ignore
    most: () => service("most", { ...options, guarantee: "at-most-once" }).on(Worked, handle("most")),
    inbox: () => service("inbox", { ...options, inbox: { windowMs: 3_600_000 } }).on(Worked, handle("inbox")), // prettier-ignore
    strict: () => service("strict", { ...options, onFailure: "blockPartition" }).on(Worked, handle("strict")), // prettier-ignore
    // Reads nothing of its key, so that events of a key run ahead of the commits of those before them; and some collide.
    swift: () =>
      service("swift", options).on(Worked, async ({ data }, ctx) => {
        const { key, n, how } = data;
        ctx.publish(Finished, { service: "swift", key, partition: ctx.partition, position: ctx.position, n });
        if (n % 3 === 0) {
          const box = ctx.state<number>("hot");
          const before = (await box.get("all")) ?? 0;
          if (n % 2 === 0) await ctx.sleep(n % 20);
          box.set("all", before + 1);
        }
        if (how !== "ok" && how !== "slow") await trouble("swift", data, ctx, start);
      }),
    audit: () =>
      service("audit", options).on(Finished, async ({ data }, ctx) => {
        const box = ctx.state<readonly Place[]>(seen);
        const id = `${data.service} ${data.key}`;
        box.set(id, [...((await box.get(id)) ?? []), [data.partition, data.position]]);
      }),
    noted: () =>
      service("noted", options).on(Noted, ({ data }, ctx) => note("noted", { key: `${data.n % 5}`, n: data.n }, ctx)),
  };
  return servicesOfSeed(seed).map((name) => (all[name] as () => Service)());
}
