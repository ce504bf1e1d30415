import type { Measurement } from "../lib/run.ts";
import { onBroker } from "../measurements/broker.ts";
import { relay } from "../measurements/relay.ts";

/** Brokers with a store apart from them and without one, against their plain clients and @nestjs/microservices. */
export const brokers: readonly Measurement[] = [
  relay,
  onBroker({
    name: "redis",
    server: "redisSynced",
    withoutStore: true,
    raw: "raw-redis",
    durability: "disk: synced before it is acknowledged (appendfsync=always)",
    rawDoes: "XADD pipelined by the client, JSON in one field; XREADGROUP of 512, XACK of each page",
    nestjs: {
      isDurable: false,
      does: "pub/sub with ioredis: not durable, what nobody listens to is gone, nothing is handled again",
    },
  }),
  onBroker({
    name: "nats",
    server: "nats",
    withoutStore: true,
    raw: "raw-nats",
    durability: "confirmed: written and not synced, one server, one replica",
    rawDoes: "publish acknowledged by the stream; a consumer for each partition, 512 messages ahead, each acknowledged",
    nestjs: {
      isDurable: false,
      does: "core NATS: not durable, nothing is acknowledged, what nobody listens to is gone",
    },
  }),
  onBroker({
    name: "kafka",
    server: "kafka",
    withoutStore: true,
    raw: "raw-kafka",
    durability: "confirmed: acks=all of one broker, one replica, written and not synced",
    rawDoes:
      "idempotent producer, one send under way with all that came meanwhile, JSON, murmur2 of the key; one member of a consumer group, offsets committed behind each page",
    nestjs: {
      isDurable: true,
      does: "kafkajs, acks=-1, one send for each emit as the package does it; eachMessage, 4 partitions at once, offsets committed by kafkajs",
    },
  }),
  onBroker({
    name: "rabbitmq",
    server: "rabbitmq",
    withoutStore: true,
    raw: "raw-rabbitmq",
    durability: "confirmed: streams, written and not synced, one server",
    rawDoes:
      "persistent messages confirmed on one channel, a stream for each partition; 512 messages ahead, acknowledged once for each turn of the event loop, positions in a file that is synced",
    nestjs: {
      isDurable: true,
      does: "one durable classic queue, persistent messages, confirmed; noAck=false, prefetch 512, the handler acknowledges each",
    },
  }),
];
