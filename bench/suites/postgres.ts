import type { Measurement } from "../lib/run.ts";
import { backlog } from "../measurements/postgres-backlog.ts";
import { batched, endToEnd, singles } from "../measurements/postgres-end-to-end.ts";
import { latency } from "../measurements/postgres-latency.ts";

/** The Postgres engine: one process and one server on one machine. */
export const postgres: readonly Measurement[] = [endToEnd, batched, singles, latency, backlog];
