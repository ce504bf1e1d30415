// What a measurement prints: one JSON object per line.
import { loadavg } from "node:os";

import { median, rounded, spread } from "./stats.ts";

export type Facts = Readonly<Record<string, string | number | boolean>>;

/** One line of the bench. A comparison has a peer, its value and the ratio of ours by theirs. */
export interface Line {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly settings: Facts;
  readonly peer?: string;
  readonly peerValue?: number;
  readonly ratio?: number;
}

/** What a line is made of: every repetition's value. */
export interface Measured {
  readonly name: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly values: readonly number[];
  readonly settings: Facts;
  readonly peer?: { readonly name: string; readonly values: readonly number[] };
}

/**
 * The median of all repetitions; how far they lie apart goes into the settings, with the median of each repetition's own
 * ratio, which a machine that is busy now and then disturbs less.
 */
export function lineOf({ name, unit, better, values, settings, peer }: Measured): Line {
  const value = median(values);
  const facts = {
    ...settings,
    repetitions: values.length,
    range: spread(values),
    loadAverage: rounded(loadavg()[0] ?? 0),
  };
  if (!peer) return { name, value: rounded(value), unit, better, settings: facts };
  const peerValue = median(peer.values);
  const paired = median(values.map((each, i) => each / (peer.values[i] ?? Number.NaN)).filter(Number.isFinite));
  return {
    name,
    value: rounded(value),
    unit,
    better,
    settings: { ...facts, peerRange: spread(peer.values), pairedRatio: rounded(paired) },
    peer: peer.name,
    peerValue: rounded(peerValue),
    ratio: rounded(value / peerValue),
  };
}
