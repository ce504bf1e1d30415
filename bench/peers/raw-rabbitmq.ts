// Streams of RabbitMQ with amqplib as it is documented: persistent messages on one confirm channel, a stream for each of four partitions,
// a consumer of each with 512 messages ahead. The server keeps no positions of such consumers, so they are kept here: in a
// file that is synced, behind what is handled. No validation, no effects once.
import { open } from "node:fs/promises";
import { join } from "node:path";

import { type ConfirmChannel, connect, type ConsumeMessage } from "amqplib";

import type { Order } from "../lib/payload.ts";
import { noting, oneAtATime, partitionsOfRaw, rawPartition } from "../lib/raw.ts";
import type { Peer, PeerOptions } from "./peer.ts";

const pageMax = 512;

export async function start(options: PeerOptions): Promise<Peer> {
  const { url = "", prefix = "", consumes = true, keeps = false } = options;
  const queues = partitionsOfRaw.map((partition) => `${prefix}:${partition}`);
  const model = await connect(url);
  const channel = await model.createConfirmChannel();
  for (const queue of queues)
    await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "stream" } });
  const publish = (order: Order): Promise<void> => publishTo(channel, queues[rawPartition(order.orderId)] ?? "", order);
  const consumer = consumes ? await consume(queues, options) : undefined;
  return {
    publish,
    publishMany: (orders) => Promise.all(orders.map(publish)),
    async close() {
      await consumer?.close();
      for (const queue of keeps ? [] : queues) await channel.deleteQueue(queue);
      await model.close();
    },
  };
}

function publishTo(channel: ConfirmChannel, queue: string, order: Order): Promise<void> {
  return new Promise((resolve, reject) => {
    const confirmed = (error: unknown): void => (error ? reject(error) : resolve());
    channel.sendToQueue(queue, Buffer.from(JSON.stringify(order)), { persistent: true }, confirmed);
  });
}

async function consume(queues: readonly string[], { folder, url = "", onOrder, handle }: PeerOptions) {
  const model = await connect(url);
  const positions = await positionsIn(folder);
  const inOrder = oneAtATime();
  for (const [partition, queue] of queues.entries()) {
    const channel = await model.createChannel();
    await channel.prefetch(pageMax);
    // The server sends as many as are acknowledged; one acknowledgement is for all that came in a turn of the event loop.
    let last: ConsumeMessage | undefined;
    const acknowledge = (): void => {
      if (last) channel.ack(last, true);
      last = undefined;
    };
    const handled = (message: ConsumeMessage): void => {
      if (!last) setImmediate(acknowledge);
      last = message;
      positions.handled(partition, Number(message.properties.headers?.["x-stream-offset"]));
    };
    const onMessage = (message: ConsumeMessage | null): void => {
      if (!message) throw new Error(`The server has ended the consumer of ${queue}.`);
      const order = JSON.parse(message.content.toString()) as Order;
      if (!handle) {
        onOrder(order);
        return handled(message);
      }
      inOrder.next(partition, async () => {
        await handle(order);
        handled(message);
      });
    };
    await channel.consume(queue, onMessage, { arguments: { "x-stream-offset": "first" } });
  }
  return {
    async close() {
      await inOrder.done();
      await positions.close();
      await model.close();
    },
  };
}

/** The positions of all partitions in one file: so small that all of it is written or nothing. */
async function positionsIn(folder: string) {
  const file = await open(join(folder, "positions"), "w");
  const bytes = Buffer.alloc(8 * partitionsOfRaw.length);
  const positions = noting<number>(async (handled) => {
    for (const [partition, position] of handled) bytes.writeDoubleLE(position, 8 * partition);
    await file.write(bytes, 0, bytes.length, 0);
    await file.datasync();
  });
  return {
    handled: (partition: number, position: number) => positions.handled(partition, position),
    async close() {
      await positions.done();
      await file.close();
    },
  };
}
