// Kafka with @platformatic/kafka as it is documented: an idempotent producer that waits for all replicas in sync, a consumer group with
// one member for all four partitions, offsets committed behind what is handled. The client sends what one call of `send` holds in
// one request, so publishes are gathered as one does it by hand: what came meanwhile goes with the next call. No validation, no
// effects once.
import {
  Admin,
  Consumer,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
  ProduceAcks,
  Producer,
  stringDeserializers,
  stringSerializers,
} from "@platformatic/kafka";

import { kafkaAccess } from "../lib/kafka.ts";
import type { Order } from "../lib/payload.ts";
import { noting, oneAtATime, partitionsOfRaw } from "../lib/raw.ts";
import type { Peer, PeerOptions } from "./peer.ts";

interface Waiting {
  readonly message: { readonly topic: string; readonly key: string; readonly value: string };
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export async function start(options: PeerOptions): Promise<Peer> {
  const { url = "", prefix: topic = "", consumes = true, keeps = false } = options;
  const admin = new Admin(kafkaAccess(url));
  if (!(await admin.listTopics()).includes(topic))
    await admin.createTopics({ topics: [topic], partitions: partitionsOfRaw.length, replicas: 1 });
  const producer = new Producer({
    ...kafkaAccess(url),
    serializers: stringSerializers,
    idempotent: true,
    acks: ProduceAcks.ALL,
  });
  const publish = gathering(producer, topic);
  const consumer = consumes ? await consume(options) : undefined;
  return {
    publish,
    publishMany: (orders) => Promise.all(orders.map(publish)),
    async close() {
      await consumer?.close();
      await producer.close();
      if (!keeps) await admin.deleteTopics({ topics: [topic] });
      if (!keeps && consumer) await admin.deleteGroups({ groups: [topic] });
      await admin.close();
    },
  };
}

/** Publishes what waits with one call at a time: two or five of them at once were tried, and slower. */
function gathering(producer: Producer<string, string, string, string>, topic: string) {
  let waiting: Waiting[] = [];
  let sending = false;
  const send = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await producer.send({ messages: batch.map(({ message }) => message) });
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      // Those who were answered publish again, which is for this call.
      await new Promise((resolve) => setImmediate(resolve));
    }
    sending = false;
  };
  return (order: Order): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.push({ message: { topic, key: order.orderId, value: JSON.stringify(order) }, resolve, reject });
      if (sending) return;
      sending = true;
      setImmediate(() => void send());
    });
}

async function consume({ url = "", prefix: topic = "", onOrder, handle }: PeerOptions) {
  const consumer = new Consumer({ ...kafkaAccess(url), groupId: topic, deserializers: stringDeserializers });
  const stream = await consumer.consume({
    topics: [topic],
    autocommit: false,
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: MessagesStreamFallbackModes.EARLIEST,
    maxWaitTime: 500,
  });
  const offsets = noting<{ offset: bigint; leaderEpoch: number }>((handled) =>
    consumer.commit({ offsets: Array.from(handled, ([partition, upTo]) => ({ topic, partition, ...upTo })) }),
  );
  const inOrder = oneAtATime();
  stream.on("data", ({ partition, offset, leaderEpoch, value }) => {
    const order = JSON.parse(value) as Order;
    const upTo = { offset: offset + 1n, leaderEpoch };
    if (handle) {
      inOrder.next(partition, async () => {
        await handle(order);
        offsets.handled(partition, upTo);
      });
      return;
    }
    onOrder(order);
    offsets.handled(partition, upTo);
  });
  return {
    async close() {
      await inOrder.done();
      await offsets.done();
      await consumer.close(true);
    },
  };
}
