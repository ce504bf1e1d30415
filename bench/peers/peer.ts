import type { Order } from "../lib/payload.ts";

/** What is measured against each other: something that takes orders and hands them to a handler. */
export interface Peer {
  /** Resolves when the order is acknowledged. */
  publish(order: Order): Promise<unknown>;
  /** Publishes several with one call, where the peer has such a call; resolves when all are acknowledged. */
  publishMany?(orders: readonly Order[]): Promise<unknown>;
  /** Resolves when everything is handled, and its position is committed. */
  close(): Promise<void>;
}

export interface PeerOptions {
  /** An empty folder on the disk. */
  readonly folder: string;
  /** Where the server listens, for the peers that need one: Redis, a fresh database of PostgreSQL, a broker. */
  readonly url: string | undefined;
  /** What the names of everything on a broker begin with; what is there is removed in the end. */
  readonly prefix?: string;
  /** Whether it also handles what it publishes; true unless given. Only of the peers on a broker. */
  readonly consumes?: boolean;
  /** Whether tidings on a broker has a store beside it; false unless given. */
  readonly store?: boolean;
  /** Whether everything on a broker is left there in the end, for the next peer; false unless given. */
  readonly keeps?: boolean;
  /** Called for each order by the handler, which does nothing else. */
  readonly onOrder: (order: Order) => void;
  /**
   * A handler that takes its time, in place of `onOrder`. The plain clients of brokers let it run once at a time in each partition.
   * Only of the peers on a broker.
   */
  readonly handle?: (order: Order) => Promise<void>;
}

export type PeerName =
  | "tidings"
  | "tidings-on-broker"
  | "bare"
  | "bullmq"
  | "bare-postgres"
  | "pg-boss"
  | "graphile-worker"
  | "raw-redis"
  | "raw-nats"
  | "raw-kafka"
  | "raw-rabbitmq"
  | "nestjs";

/** Starts a peer; its code is loaded only when it is asked for. */
export async function startPeer(name: PeerName, options: PeerOptions): Promise<Peer> {
  if (name === "tidings") return (await import("./tidings.ts")).start(options);
  if (name === "tidings-on-broker") return (await import("./tidings-on-broker.ts")).start(options);
  if (name === "raw-redis") return (await import("./raw-redis.ts")).start(options);
  if (name === "raw-nats") return (await import("./raw-nats.ts")).start(options);
  if (name === "raw-kafka") return (await import("./raw-kafka.ts")).start(options);
  if (name === "raw-rabbitmq") return (await import("./raw-rabbitmq.ts")).start(options);
  if (name === "nestjs") return (await import("./nestjs.ts")).start(options);
  if (name === "bare") return (await import("./bare.ts")).start(options);
  if (name === "bullmq") return (await import("./bullmq.ts")).start(options);
  if (name === "bare-postgres") return (await import("./bare-postgres.ts")).start(options);
  if (name === "pg-boss") return (await import("./pg-boss.ts")).start(options);
  return (await import("./graphile-worker.ts")).start(options);
}
