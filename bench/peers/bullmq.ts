// BullMQ as its documentation has it, on Redis as the system installs it: jobs are removed when they are done.
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

import type { Order } from "../lib/payload.ts";
import type { Peer, PeerOptions } from "./peer.ts";

export const concurrency = 50;

export async function start({ url: redis = "", onOrder }: PeerOptions): Promise<Peer> {
  const name = `bench-${process.pid}`;
  const connection = new Redis(redis, { maxRetriesPerRequest: null });
  const queue = new Queue<Order>(name, { connection });
  const workerConnection = new Redis(redis, { maxRetriesPerRequest: null });
  const worker = new Worker<Order>(name, async (job) => onOrder(job.data), {
    connection: workerConnection,
    concurrency,
  });
  await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);
  return {
    publish: (order) => queue.add("bench.order.placed", order, { removeOnComplete: true }),
    async close() {
      await worker.close();
      await queue.obliterate({ force: true });
      await queue.close();
      connection.disconnect();
      workerConnection.disconnect();
    },
  };
}
