// graphile-worker as its documentation has it for throughput: jobs are fetched and completed in batches.
import { Logger, makeWorkerUtils, run } from "graphile-worker";

import type { Order } from "../lib/payload.ts";
import type { Peer, PeerOptions } from "./peer.ts";

const identifier = "order";

export const graphileSettings = { concurrency: 24, localQueueSize: 500, completeJobBatchDelay: 0 };

export async function start({ url = "", onOrder }: PeerOptions): Promise<Peer> {
  const { concurrency, localQueueSize, completeJobBatchDelay } = graphileSettings;
  const logger = new Logger(() => () => undefined);
  const utils = await makeWorkerUtils({ connectionString: url, logger });
  await utils.migrate();
  const runner = await run({
    connectionString: url,
    logger,
    concurrency,
    noHandleSignals: true,
    taskList: { [identifier]: (order) => onOrder(order as Order) },
    preset: { worker: { localQueue: { size: localQueueSize }, completeJobBatchDelay } },
  });
  return {
    publish: (order) => utils.addJob(identifier, order),
    publishMany: (orders) => utils.addJobs(orders.map((payload) => ({ identifier, payload }))),
    async close() {
      await runner.stop();
      await utils.release();
    },
  };
}
