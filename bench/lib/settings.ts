// What every line says about how it was measured: a figure without its settings does not count.
import type { Facts } from "./line.ts";
import { payloadBytes } from "./payload.ts";

/** What holds for tidings in every measurement of the embedded suite. */
export const embedded: Facts = {
  engine: "sqlite",
  binding: "node:sqlite",
  durability: "disk: fsync before every acknowledgement (synchronous=FULL)",
  guarantee: "exactly-once",
  validation: "zod on publish and consume",
  payloadBytes,
  processes: 1,
};

/** What holds for tidings in every measurement of the Postgres suite. */
export const onPostgres: Facts = {
  engine: "postgres",
  client: "pg",
  durability: "disk: fsync before every acknowledgement (fsync=on, synchronous_commit=on)",
  guarantee: "exactly-once",
  validation: "zod on publish and consume",
  payloadBytes,
  processes: 1,
  database: "a fresh one for each run, ANALYZE after warming up",
};
