// pg-boss as its documentation has it for throughput: batches fetched one after the other while they come back full, and
// LISTEN/NOTIFY, so that a job that comes alone need not wait for the next look.
import { PgBoss } from "pg-boss";

import type { Order } from "../lib/payload.ts";
import type { Peer, PeerOptions } from "./peer.ts";

const queue = "orders";

export const pgBossSettings = { batchSize: 500, localConcurrency: 2, burstWhenBatchFull: true };

export async function start({ url = "", onOrder }: PeerOptions): Promise<Peer> {
  const boss = new PgBoss({ connectionString: url, useListenNotify: true, schedule: false });
  boss.on("error", (error) => {
    throw error;
  });
  await boss.start();
  await boss.createQueue(queue, { notify: true });
  await boss.work<Order>(queue, { ...pgBossSettings, pollingIntervalSeconds: 0.5 }, async (jobs) => {
    for (const { data } of jobs) onOrder(data);
  });
  return {
    publish: (order) => boss.send(queue, order),
    publishMany: (orders) =>
      boss.insert(
        queue,
        orders.map((data) => ({ data })),
      ),
    close: () => boss.stop({ graceful: true, timeout: 30_000 }),
  };
}
