// Streams of Redis with its client as it is documented: XADD pipelined by the client, a stream for each of four partitions, a group
// whose entries are acknowledged a page at a time. No validation, no order of keys under failure, no effects once.
import { createClient } from "@redis/client";

import type { Order } from "../lib/payload.ts";
import { partitionsOfRaw, rawPartition } from "../lib/raw.ts";
import type { Peer, PeerOptions } from "./peer.ts";

const pageMax = 512;

interface Entries {
  readonly name: string;
  readonly messages: readonly { readonly id: string; readonly message: { readonly data: string } }[];
}

export async function start(options: PeerOptions): Promise<Peer> {
  const { url = "", prefix = "", consumes = true, keeps = false } = options;
  const writer = createClient({ url, RESP: 2 });
  await writer.connect();
  const streams = partitionsOfRaw.map((partition) => `${prefix}:${partition}`);
  const publish = (order: Order): Promise<unknown> =>
    writer.xAdd(streams[rawPartition(order.orderId)] as string, "*", { data: JSON.stringify(order) });
  const consumer = consumes && (await consume(streams, options));
  return {
    publish,
    publishMany: (orders) => Promise.all(orders.map(publish)),
    async close() {
      if (consumer) await consumer.close();
      if (!keeps) await writer.del(streams);
      await writer.close();
    },
  };
}

async function consume(streams: readonly string[], { url = "", onOrder, handle }: PeerOptions) {
  const reader = createClient({ url, RESP: 2 });
  const acknowledger = createClient({ url, RESP: 2 });
  await Promise.all([reader.connect(), acknowledger.connect()]);
  for (const stream of streams) await acknowledger.xGroupCreate(stream, "handler", "0", { MKSTREAM: true });
  const wanted = streams.map((key) => ({ key, id: ">" }));
  let stopped = false;
  const acknowledging = new Set<Promise<unknown>>();
  const work = async ({ name, messages }: Entries): Promise<void> => {
    for (const { message } of messages) {
      const order = JSON.parse(message.data) as Order;
      if (handle) await handle(order);
      else onOrder(order);
    }
    const done = acknowledger.xAck(name, "handler", messages.map(({ id }) => id)); // prettier-ignore
    acknowledging.add(done);
    void done.finally(() => acknowledging.delete(done));
  };
  const loop = async (): Promise<void> => {
    while (!stopped) {
      const options = { COUNT: pageMax, BLOCK: 100 };
      const page = (await reader.xReadGroup("handler", "one", wanted, options)) as Entries[] | null;
      await Promise.all((page ?? []).map(work));
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
