import type { Measurement } from "../lib/run.ts";
import { relay } from "../measurements/relay.ts";

/** Brokers with a store apart from them. */
export const brokers: readonly Measurement[] = [relay];
