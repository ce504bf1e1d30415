// JetStream with its client as it is documented: publishes that wait for their acknowledgement, a stream with a subject for each of
// four partitions, a durable consumer for each that acknowledges every message. No validation, no effects once.
import { AckPolicy, jetstream, jetstreamManager, type ConsumerMessages } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

import type { Order } from "../lib/payload.ts";
import { oneAtATime, partitionsOfRaw, rawPartition } from "../lib/raw.ts";
import type { Peer, PeerOptions } from "./peer.ts";

const pageMax = 512;

export async function start(options: PeerOptions): Promise<Peer> {
  const { url = "", prefix = "", consumes = true, keeps = false, onOrder, handle } = options;
  const { hostname, port, username, password } = new URL(url);
  const connection = await connect({ servers: `${hostname}:${port}`, user: username, pass: password });
  const manager = await jetstreamManager(connection);
  const js = jetstream(connection);
  await manager.streams.add({ name: prefix, subjects: [`${prefix}.*`] });
  const consuming: ConsumerMessages[] = [];
  const inOrder = oneAtATime();
  for (const partition of consumes ? partitionsOfRaw : []) {
    const name = `handler-${partition}`;
    const filter = {
      filter_subject: `${prefix}.${partition}`,
      ack_policy: AckPolicy.Explicit,
      max_ack_pending: 4 * pageMax,
    };
    await manager.consumers.add(prefix, { durable_name: name, ...filter });
    const consumer = await js.consumers.get(prefix, name);
    const messages = await consumer.consume({
      max_messages: pageMax,
      callback(message) {
        const order = message.json<Order>();
        if (!handle) {
          onOrder(order);
          return message.ack();
        }
        inOrder.next(partition, async () => {
          await handle(order);
          message.ack();
        });
      },
    });
    consuming.push(messages);
  }
  const publish = (order: Order): Promise<unknown> =>
    js.publish(`${prefix}.${rawPartition(order.orderId)}`, JSON.stringify(order));
  return {
    publish,
    publishMany: (orders) => Promise.all(orders.map(publish)),
    async close() {
      await inOrder.done();
      await Promise.all(consuming.map((messages) => messages.close()));
      await connection.flush();
      if (!keeps) await manager.streams.delete(prefix);
      await connection.close();
    },
  };
}
