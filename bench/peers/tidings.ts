// tidings as a user starts it: one file or one database, one service, every default.
import { join } from "node:path";

import { type App, type Service, service, tidings, topic } from "../../src/index.ts";
import { type Order, orderSchema } from "../lib/payload.ts";
import type { Peer, PeerOptions } from "./peer.ts";

export const orders = topic("orders", { key: (order: Order) => order.orderId });
export const OrderPlaced = orders.event("bench.order.placed", { data: orderSchema });

/** A service whose handler does nothing but tell. */
export function handling(onOrder: (order: Order) => void, name = "handler"): Service {
  return service(name, { from: "start" }).on(OrderPlaced, (event) => onOrder(event.data));
}

export function openApp(folder: string, services: readonly Service[]): App {
  return openAppAt(`sqlite:${join(folder, "bench.db")}`, services);
}

export function openAppAt(url: string, services: readonly Service[]): App {
  return tidings({ name: "bench", url, services, topics: [orders] });
}

export async function start({ folder, url, onOrder }: PeerOptions): Promise<Peer> {
  const services = [handling(onOrder)];
  const app = await (url === undefined ? openApp(folder, services) : openAppAt(url, services)).start();
  return {
    publish: (order) => app.publish(OrderPlaced, order),
    publishMany: (all) => app.publishAll(all.map((order) => [OrderPlaced, order] as const)),
    async close() {
      const { subscriptions } = await app.settled({ timeoutMs: 60_000 });
      const deadLetters = subscriptions.reduce((sum, each) => sum + each.deadLetters, 0);
      if (deadLetters > 0) throw new Error(`There are ${deadLetters} dead letters.`);
      await app.stop();
    },
  };
}
