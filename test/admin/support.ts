import { after } from "node:test";

import { type App, PauseError, service, type Service, TerminalError, tidings, topic } from "tidings";
import { z } from "zod";

import { type Admin, type AdminOptions, createAdmin } from "../../src/admin/admin.ts";
import { silentLogger } from "../../src/delivery/log.ts";
import { type MemoryWorld, memoryWorld } from "../../src/engines/memory/factory.ts";
import { systemPlatform } from "../../src/platform/system.ts";
import type { Engine } from "../../src/ports/engine.ts";

export const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId, partitions: 2 });
export const Placed = orders.event("shop.order.placed", {
  data: z.object({ orderId: z.string(), total: z.number(), bad: z.boolean().optional() }),
});
export const Noted = orders.event("shop.order.noted", { data: z.object({ orderId: z.string() }) });
export const payments = topic("payments", { key: (data: { orderId: string }) => data.orderId, partitions: 2 });
export const Captured = payments.event("shop.payment.captured", { data: z.object({ orderId: z.string() }) });

/** What the handlers of a shop do, and what they have done. */
export interface Behaviour {
  /** Events marked bad fail for good, until somebody mends the handler. */
  mended: boolean;
  /** Called with each order that begins to be handled. */
  onPlaced?: (orderId: string, total: number) => void | Promise<void>;
  readonly handled: string[];
}

export const behaviour = (): Behaviour => ({ mended: false, handled: [] });

/** Services that pay for orders and count what was paid. */
export function shopServices(how: Behaviour): readonly Service[] {
  const pay = service("pay", { from: "start" }).on(Placed, async ({ data }, ctx) => {
    await how.onPlaced?.(data.orderId, data.total);
    if (data.bad && !how.mended) throw new TerminalError(`the card of ${data.orderId} is refused`);
    if (data.total < 0) throw new PauseError("negative totals");
    how.handled.push(`${data.orderId}:${data.total}`);
    ctx.publish(Captured, { orderId: data.orderId });
  });
  const count = service("count", { from: "start" }).on(Captured, () => undefined);
  return [pay, count];
}

export interface Shop {
  readonly app: App;
  readonly how: Behaviour;
  publish(orderId: string, total: number, bad?: boolean): Promise<string>;
}

/** A test that fails must not leave an application behind that keeps the process alive. */
const started: App[] = [];
after(() => Promise.all(started.map((app) => app.stop())));

/** Starts the shop on the data of a world. */
export async function startShop(world: MemoryWorld, how: Behaviour = behaviour()): Promise<Shop> {
  const app = await tidings({
    name: "shop",
    services: shopServices(how),
    engine: { open: (context) => world.open(context, { seed: 1 }) },
    logger: silentLogger,
    memberTtlMs: 1000,
  }).start();
  started.push(app);
  return {
    app,
    how,
    async publish(orderId, total, bad) {
      const event = await app.publish(Placed, { orderId, total, ...(bad ? { bad } : {}) });
      return event.id;
    },
  };
}

/** Admin from outside of any application, as another process would have it. */
export async function openAdmin(
  world: MemoryWorld,
  options: Partial<AdminOptions> = {},
): Promise<{ admin: Admin; engine: Engine }> {
  const platform = systemPlatform();
  const engine = await world.open({ platform }, { seed: 2 });
  const admin = createAdmin({ engine, platform, by: "test", memberId: "test.0.x", timeoutMs: 5000, ...options });
  return { admin, engine };
}

/** A world in which one key waits behind a dead letter, and no application runs. */
export async function troubledWorld(): Promise<{ world: MemoryWorld; how: Behaviour; ids: readonly string[] }> {
  const world = memoryWorld();
  const shop = await startShop(world);
  const ids = [];
  ids.push(await shop.publish("a", 1));
  ids.push(await shop.publish("b", 1, true));
  ids.push(await shop.publish("b", 2));
  ids.push(await shop.publish("c", 1));
  await shop.app.publish(Noted, { orderId: "a" });
  await shop.app.settled({ timeoutMs: 10_000 });
  await shop.app.stop();
  return { world, how: shop.how, ids };
}

/** Everything that comes. */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}
