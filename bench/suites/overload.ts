import type { Measurement } from "../lib/run.ts";
import { overload as measurement } from "../measurements/overload.ts";

/** More than can be handled: a consumer and a publisher, two processes on one SQLite file. */
export const overload: readonly Measurement[] = [measurement];
