// @nestjs/microservices as its documentation has it: a microservice with a handler of one event, and a client that emits it, in one process.
// The transport is that of the address. TypeScript's decorators are called as functions, since Node.js strips types only.
import "reflect-metadata";
import { setTimeout } from "node:timers/promises";

import { Admin } from "@platformatic/kafka";
import { Controller, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import {
  type ClientProvider,
  ClientProxyFactory,
  Ctx,
  EventPattern,
  type KafkaOptions,
  type MicroserviceOptions,
  Payload,
  RmqContext,
  Transport,
} from "@nestjs/microservices";
import { connect } from "amqplib";
import { lastValueFrom } from "rxjs";

import { kafkaAccess } from "../lib/kafka.ts";
import { type Order, orderOf } from "../lib/payload.ts";
import { partitionsOfRaw } from "../lib/raw.ts";
import type { Peer, PeerOptions } from "./peer.ts";

const prefetchCount = 512;
/** The number of an order that only asks whether somebody listens. */
const asking = -1;

interface Used {
  readonly server: MicroserviceOptions;
  readonly client: ClientProvider;
  /** What is emitted for an order. */
  data(order: Order): unknown;
  /** Whether what is emitted waits for somebody who listens. */
  readonly isDurable: boolean;
  prepare(): Promise<unknown>;
  remove(): Promise<unknown>;
}

export async function start({ url = "", prefix = "", onOrder }: PeerOptions): Promise<Peer> {
  const used = usedFor(url, prefix);
  let isHeard = false;
  class Handler {
    handle(order: Order, context: unknown): void {
      if (order.n === asking) isHeard = true;
      else onOrder(order);
      if (!(context instanceof RmqContext)) return;
      (context.getChannelRef() as { ack(message: unknown): void }).ack(context.getMessage());
    }
  }
  const { prototype } = Handler;
  Payload()(prototype, "handle", 0);
  Ctx()(prototype, "handle", 1);
  EventPattern(prefix)(prototype, "handle", Object.getOwnPropertyDescriptor(prototype, "handle") as never);
  Controller()(Handler);
  // oxlint-disable-next-line typescript/no-extraneous-class -- a module of NestJS is a class with nothing in it.
  class App {}
  Module({ controllers: [Handler] })(App);

  await used.prepare();
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(App, {
    ...used.server,
    logger: ["error"],
  });
  await app.listen();
  const client = ClientProxyFactory.create(used.client);
  await client.connect();
  const publish = (order: Order): Promise<unknown> =>
    lastValueFrom(client.emit(prefix, used.data(order)), { defaultValue: undefined });
  while (!used.isDurable && !isHeard) {
    await publish({ ...orderOf(0, 1), n: asking });
    await setTimeout(10);
  }
  return {
    publish,
    async close() {
      await client.close();
      await app.close();
      await used.remove();
    },
  };
}

function usedFor(url: string, prefix: string): Used {
  if (url.startsWith("kafka")) return onKafka(url, prefix);
  if (url.startsWith("amqp")) return onRabbitmq(url, prefix);
  const both = url.startsWith("nats") ? onNats(url) : onRedis(url);
  const nothing = (): Promise<void> => Promise.resolve();
  return { server: both, client: both, data: (order) => order, isDurable: false, prepare: nothing, remove: nothing };
}

function onKafka(url: string, topic: string): Used {
  const { bootstrapBrokers, sasl } = kafkaAccess(url);
  const { username, password } = sasl;
  const options: KafkaOptions["options"] = {
    client: {
      clientId: "bench",
      brokers: bootstrapBrokers,
      sasl: { mechanism: "scram-sha-512", username, password },
    },
    consumer: { groupId: topic },
    subscribe: { fromBeginning: true },
    run: { partitionsConsumedConcurrently: partitionsOfRaw.length },
    send: { acks: -1 },
  };
  const admin = new Admin(kafkaAccess(url));
  return {
    server: { transport: Transport.KAFKA, options },
    client: { transport: Transport.KAFKA, options: { ...options, producerOnlyMode: true } },
    data: (order) => ({ key: order.orderId, value: order }),
    isDurable: true,
    prepare: () => admin.createTopics({ topics: [topic], partitions: partitionsOfRaw.length, replicas: 1 }),
    async remove() {
      await admin.deleteTopics({ topics: [topic] });
      await admin.deleteGroups({ groups: [`${topic}-server`] });
      await admin.close();
    },
  };
}

function onRabbitmq(url: string, queue: string): Used {
  const options = { urls: [url], queue, queueOptions: { durable: true }, persistent: true };
  return {
    server: { transport: Transport.RMQ, options: { ...options, noAck: false, prefetchCount } },
    // Its own noAck is for the queue of replies, which takes no other.
    client: { transport: Transport.RMQ, options },
    data: (order) => order,
    isDurable: true,
    prepare: () => Promise.resolve(),
    async remove() {
      const model = await connect(url);
      const channel = await model.createChannel();
      await channel.deleteQueue(queue);
      await model.close();
    },
  };
}

function onNats(url: string) {
  const { host, username: user, password: pass } = new URL(url);
  return { transport: Transport.NATS as const, options: { servers: [host], user, pass } };
}

function onRedis(url: string) {
  const { hostname: host, port } = new URL(url);
  return { transport: Transport.REDIS as const, options: { host, port: Number(port) } };
}
