import { type App, type AppOptions, type Service, tidings, topic, type Totals } from "tidings";
import { z } from "zod";
import { memoryWorld, type MemoryWorld } from "../../src/engines/memory/factory.ts";
import { type VirtualClock, virtualPlatform } from "../../src/platform/virtual.ts";
import type { Platform } from "../../src/platform/platform.ts";
import { silentLogger } from "../../src/delivery/log.ts";

export const things = topic("things", { key: (data: { key: string }) => data.key, partitions: 2 });
export const Happened = things.event("thing.happened", { data: z.object({ key: z.string(), n: z.number() }) });
export const Followed = things.event("thing.followed", { data: z.object({ key: z.string(), n: z.number() }) });
export const Ignored = things.event("thing.ignored", { data: z.object({ key: z.string() }) });

/** An application on virtual time, and the world its data live in. */
export interface Bench {
  readonly app: App;
  readonly clock: VirtualClock;
  readonly world: MemoryWorld;
  readonly platform: Platform;
  /** Publishes events n = 0.. of a key and lets them be handled. */
  feed(key: string, ...numbers: number[]): Promise<void>;
  /** Lets everything run that needs no time. */
  rest(): Promise<void>;
}

/** Starts services on a world; the same world again is the same data. */
export async function bench(
  services: readonly Service[],
  options: Partial<AppOptions> & {
    world?: MemoryWorld;
    platform?: Platform & { clock: VirtualClock };
    seed?: number;
  } = {},
): Promise<Bench> {
  const { world = memoryWorld(), platform = virtualPlatform({ seed: options.seed ?? 1 }), seed: _, ...rest } = options;
  const { clock } = platform;
  const app = tidings({
    name: "bench",
    services,
    topics: [things],
    engine: { open: (context) => world.open(context) },
    platform,
    logger: silentLogger,
    ...rest,
  });
  const started = app.start();
  await drive(clock, started);
  const restNow = async (): Promise<void> => {
    for (let i = 0; i < 60; i++) await clock.flush();
  };
  return {
    app,
    clock,
    world,
    platform,
    rest: restNow,
    async feed(key, ...numbers) {
      const done = Promise.all(numbers.map((n) => app.publish(Happened, { key, n })));
      await drive(clock, done);
      await restNow();
    },
  };
}

/** Lets virtual time stand still, or go on a little when nothing else moves, until the promise has settled. */
export async function drive<Value>(clock: VirtualClock, promise: Promise<Value>): Promise<Value> {
  let settled = false;
  const watch = promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  for (let i = 0; i < 2000 && !settled; i++) {
    for (let j = 0; j < 20 && !settled; j++) await clock.flush();
    if (!settled) await clock.advance(10);
  }
  if (!settled) throw new Error("the promise did not settle within 20 virtual seconds");
  await watch;
  return promise;
}

/** Checks promise P3 for every subscription. */
export function assertAllAccounted(totals: Totals): void {
  for (const s of totals.subscriptions) {
    const sum = s.handled + s.filtered + s.expired + s.discarded + s.skipped + s.held + s.unknown + s.pending;
    if (sum !== s.total) throw new Error(`${s.subscription}: ${sum} accounted of ${s.total}: ${JSON.stringify(s)}`);
  }
}

/** Totals of the only subscription, or of the named one. */
export async function totalsOf(bench: Bench, name?: string): Promise<Totals["subscriptions"][number]> {
  const totals = await drive(bench.clock, bench.app.totals());
  assertAllAccounted(totals);
  const found = name ? totals.subscriptions.find(({ subscription }) => subscription === name) : totals.subscriptions[0];
  if (!found) throw new Error("no such subscription");
  return found;
}

/** A gate that a handler can wait at. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}
