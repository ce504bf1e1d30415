// tidings on a broker, at least once: without a store, or with one beside it in a SQLite file. Everything else as it comes.
import { join } from "node:path";

import { service, tidings } from "../../src/index.ts";
import { cleanBroker } from "../lib/clean.ts";
import type { Peer, PeerOptions } from "./peer.ts";
import { OrderPlaced, orders } from "./tidings.ts";

const weak: ReadonlySet<string> = new Set(["nats:", "kafka:", "amqp:"]);

export async function start({
  folder,
  url = "",
  prefix = "",
  consumes = true,
  store = false,
  keeps = false,
  onOrder,
  handle,
}: PeerOptions): Promise<Peer> {
  const address = new URL(url);
  address.searchParams.set("prefix", prefix);
  // What it is otherwise is for a cluster, or takes a sync for each batch that the plain client does not ask for.
  if (weak.has(address.protocol)) address.searchParams.set("durability", "weak");
  const handler = service("handler", { from: "start", guarantee: "at-least-once", onFailure: "blockPartition" }).on(
    OrderPlaced,
    handle ? (event) => handle(event.data) : (event) => onOrder(event.data),
  );
  const app = await tidings({
    name: "bench",
    url: address.href,
    ...(store ? { store: `sqlite:${join(folder, "bench.db")}` } : {}),
    ...(consumes ? { services: [handler] } : {}),
    topics: [orders],
  }).start();
  return {
    publish: (order) => app.publish(OrderPlaced, order),
    publishMany: (all) => app.publishAll(all.map((order) => [OrderPlaced, order] as const)),
    async close() {
      if (consumes) {
        const { subscriptions } = await app.settled({ timeoutMs: 60_000 });
        const deadLetters = subscriptions.reduce((sum, each) => sum + each.deadLetters, 0);
        if (deadLetters > 0) throw new Error(`There are ${deadLetters} dead letters.`);
      }
      await app.stop();
      if (!keeps) await cleanBroker(url, prefix);
    },
  };
}
