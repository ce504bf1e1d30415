// Streams of Redis with its client as it is documented: XADD pipelined by the client, a stream for each of four partitions, a group
// whose entries are acknowledged a page at a time. No validation, no order of keys under failure, no effects once.
import { createClient } from "@redis/client";

import type { Order } from "../lib/payload.ts";
import { partitionsOfRaw, rawPartition } from "../lib/raw.ts";
import type { Peer, PeerOptions } from "./peer.ts";

const pageMax = 512;

type Page = readonly { name: string; messages: readonly { id: string; message: { data: string } }[] }[] | null;

export async function start({ url = "", prefix = "", consumes = true, onOrder }: PeerOptions): Promise<Peer> {
  const writer = createClient({ url, RESP: 2 });
  await writer.connect();
  const streams = partitionsOfRaw.map((partition) => `${prefix}:${partition}`);
  const publish = (order: Order): Promise<unknown> =>
    writer.xAdd(streams[rawPartition(order.orderId)] as string, "*", { data: JSON.stringify(order) });
  const consumer = consumes && (await consume(url, streams, onOrder));
  return {
    publish,
    publishMany: (orders) => Promise.all(orders.map(publish)),
    async close() {
      if (consumer) await consumer.close();
      await writer.del(streams);
      await writer.close();
    },
  };
}

async function consume(url: string, streams: readonly string[], onOrder: (order: Order) => void) {
  const reader = createClient({ url, RESP: 2 });
  const acknowledger = createClient({ url, RESP: 2 });
  await Promise.all([reader.connect(), acknowledger.connect()]);
  for (const stream of streams) await acknowledger.xGroupCreate(stream, "handler", "0", { MKSTREAM: true });
  const wanted = streams.map((key) => ({ key, id: ">" }));
  let stopped = false;
  const acknowledging = new Set<Promise<unknown>>();
  const loop = async (): Promise<void> => {
    while (!stopped) {
      const options = { COUNT: pageMax, BLOCK: 100 };
      const page = (await reader.xReadGroup("handler", "one", wanted, options)) as Page;
      for (const { name, messages } of page ?? []) {
        for (const { message } of messages) onOrder(JSON.parse(message.data) as Order);
        const done = acknowledger.xAck(name, "handler", messages.map(({ id }) => id)); // prettier-ignore
        acknowledging.add(done);
        void done.finally(() => acknowledging.delete(done));
      }
    }
  };
  const looping = loop();
  return {
    async close() {
      stopped = true;
      await looping;
      await Promise.all(acknowledging);
      await Promise.all([reader.close(), acknowledger.close()]);
    },
  };
}
