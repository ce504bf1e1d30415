// The file that the golden tests look at: the same each time, but for ids and times.
import { type App, service, type Service, TerminalError, tidings, topic } from "tidings";
import { z } from "zod";

import { createAdmin } from "../../src/admin/admin.ts";
import { engineOfUrl } from "../../src/app/engines.ts";
import { systemPlatform } from "../../src/platform/system.ts";

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId, partitions: 2 });
const Placed = orders.event("shop.order.placed", { data: z.object({ orderId: z.string(), total: z.number() }) });
const Noted = orders.event("shop.order.noted", { data: z.object({ orderId: z.string() }) });
const payments = topic("payments", { key: (data: { orderId: string }) => data.orderId, partitions: 1 });
const Captured = payments.event("shop.payment.captured", { data: z.object({ orderId: z.string() }) });

const services: readonly Service[] = [
  service("pay", { from: "start" }).on(Placed, ({ data }, ctx) => {
    if (data.total < 0) throw new TerminalError(`the total of ${data.orderId} is negative`);
    ctx.publish(Captured, { orderId: data.orderId });
  }),
  service("mail", { from: "start" }).on(Placed, () => undefined),
  service("books", { from: "start", breaker: { failures: 3 } }).on(Captured, () => undefined),
];

/** What the tests need to know of the file. */
export interface GoldenStore {
  /** Ids of the events, by order. */
  readonly events: Readonly<Record<string, string>>;
  readonly deadLetter: string;
  /** A redrive of it, paused: no application has driven it. */
  readonly redrive: string;
}

/** Fills the file: one key waits behind a dead letter, one subscription is paused with events pending, one key is paused, and so is a redrive. */
export async function goldenStore(url: string): Promise<GoldenStore> {
  const app = await tidings({
    name: "shop",
    url,
    services,
    version: "1.2.3",
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  }).start();
  const events: Record<string, string> = {};
  const place = async (orderId: string, total: number): Promise<void> => {
    events[`${orderId}:${total}`] = (await app.publish(Placed, { orderId, total })).id;
  };
  for (const [orderId, total] of [
    ["1", 10],
    ["2", -1],
    ["2", 20],
    ["3", 30],
  ] as const) {
    await place(orderId, total);
    await app.settled({ timeoutMs: 10_000 });
  }
  events["noted"] = (await app.publish(Noted, { orderId: "1" })).id;
  await app.settled({ timeoutMs: 10_000 });
  await app.admin.heldKeys.pause("pay", "9", { reason: "checked by hand" });
  await app.admin.subscriptions.pause("mail", { reason: "the mail server is down" });
  await until(async () => (await app.health()).subscriptions.some(({ status }) => status === "paused"));
  await place("4", 40);
  await until(async () => (await handled(app)) === 3);
  const [letter] = await app.admin.deadLetters.list();
  await app.admin.breakers.open("books/payments", { reason: "the books are audited" });
  await app.stop();
  return { events, deadLetter: letter!.id, redrive: await pausedRedrive(url) };
}

async function pausedRedrive(url: string): Promise<string> {
  const platform = systemPlatform();
  const engine = await (await engineOfUrl(url)).open({ platform });
  const { redrives } = createAdmin({ engine, platform, by: "ann", memberId: "test.0.x" });
  const options = { canary: 5, abort: { share: 0.02 }, reason: "the totals are mended" };
  const { id } = await redrives.start({ subscription: "pay" }, options);
  await redrives.pause(id, { reason: "lunch" });
  await engine.close();
  return id;
}

async function handled(app: App): Promise<number | undefined> {
  return (await app.totals()).subscriptions.find(({ subscription }) => subscription === "books/payments")?.handled;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("the file did not come to the state that the tests need");
}
