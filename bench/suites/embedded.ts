import type { Measurement } from "../lib/run.ts";
import { backlog } from "../measurements/backlog.ts";
import { checksums } from "../measurements/checksums.ts";
import { endToEnd } from "../measurements/end-to-end.ts";
import { latency } from "../measurements/latency.ts";
import { publishCost } from "../measurements/publish-cost.ts";
import { start } from "../measurements/start.ts";

/** The embedded engine: one process on one SQLite file. */
export const embedded: readonly Measurement[] = [endToEnd, latency, backlog, publishCost, checksums, start];
