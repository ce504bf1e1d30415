import type { Measurement } from "../lib/run.ts";
import { onBroker } from "../measurements/broker.ts";
import { relay } from "../measurements/relay.ts";

/** Brokers with a store apart from them, against their plain clients. */
export const brokers: readonly Measurement[] = [
  relay,
  onBroker({
    name: "redis",
    server: "redisSynced",
    raw: "raw-redis",
    durability: "disk: synced before it is acknowledged (appendfsync=always)",
    rawDoes: "XADD pipelined by the client, JSON in one field; XREADGROUP of 512, XACK of each page",
  }),
  onBroker({
    name: "nats",
    server: "nats",
    raw: "raw-nats",
    durability: "confirmed: written and not synced, one server, one replica",
    rawDoes: "publish acknowledged by the stream; a consumer for each partition, 512 messages ahead, each acknowledged",
  }),
];
