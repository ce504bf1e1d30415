import { type App, hasCode, service, type Service, type ServiceOptions, type TidingsError } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { type VirtualClock, virtualPlatform } from "../../src/platform/virtual.ts";
import { type Bench, bench, drive, Happened } from "../delivery/support.ts";

/** A consumer that takes `handlerMs` for each event, `concurrency` at a time. */
export function slow(handlerMs: number, options: ServiceOptions): Service {
  return service("slow", { from: "start", ...options }).on(Happened, async (_event, ctx) => {
    await ctx.sleep(handlerMs);
  });
}

/** What became of publishes that were offered. */
export class Offered {
  accepted = 0;
  readonly refused: TidingsError[] = [];
  readonly #pending: Promise<unknown>[] = [];

  one(app: App, key: string): void {
    this.#pending.push(
      app.publish(Happened, { key, n: 0 }).then(
        () => void (this.accepted += 1),
        (error: unknown) => {
          if (!hasCode(error, "TIDINGS_OVERLOADED")) throw error;
          this.refused.push(error);
        },
      ),
    );
  }

  all(): Promise<unknown> {
    return Promise.all(this.#pending);
  }
}

/** Two processes on one world: the first consumes, the others publish. */
export async function processes(consumer: Service, publishers = 1) {
  const world = memoryWorld();
  const platform = virtualPlatform();
  const consuming = await bench([consumer], { world, platform, memberId: "consumer" });
  const publishing: Bench[] = [];
  for (let i = 0; i < publishers; i++)
    publishing.push(await bench([], { world, platform, seed: i + 2, memberId: `publisher-${i}` }));
  return { world, platform, clock: platform.clock, consuming, publishing, apps: publishing.map(({ app }) => app) };
}

let keys = 0;

/** A key that no event has. */
export const newKey = (): string => `k${keys++}`;

/** Offers so many events each millisecond, each of a key of its own, for a time. */
export async function offer(clock: VirtualClock, app: App, perMs: number, forMs: number, offered = new Offered()) {
  for (let ms = 0, due = 0; ms < forMs; ms++) {
    for (due += perMs; due >= 1; due--) offered.one(app, newKey());
    await clock.advance(1);
  }
  return offered;
}

/** Pending at all subscriptions together. */
export const pendingOf = async ({ app, clock }: Bench) =>
  (await drive(clock, app.totals())).subscriptions.reduce((sum, { pending }) => sum + pending, 0);

/** Stops applications that share a clock. */
export const stopAll = (clock: VirtualClock, benches: readonly Bench[]) =>
  drive(clock, Promise.all(benches.map(({ app }) => app.stop())));
