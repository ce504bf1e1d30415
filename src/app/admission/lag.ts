import { positionKey, collections, type PositionDocument } from "../../delivery/records.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Bounds } from "../../ports/topics.ts";

/** A subscription and the most that may be pending there. */
export interface BacklogLimit {
  readonly subscription: string;
  readonly topic: string;
  readonly partitions: number;
  readonly eventsMax: number;
}

/** What the store says about a subscription at one moment. */
export interface Lag {
  /** Published and not settled. Events behind held keys are settled. */
  readonly pending: number;
  /** Rises by one with each settled event, within a run. */
  readonly settled: number;
  /** Another number after each seek. */
  readonly run: number;
}

/** Reads the lag of subscriptions on one topic, in the order given. */
export async function readLags(
  engine: Engine,
  topic: string,
  subscriptions: readonly BacklogLimit[],
): Promise<readonly Lag[]> {
  const keys = subscriptions.flatMap(({ subscription, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => positionKey(subscription, partition)),
  );
  // Positions before bounds: then no position lies beyond what is known to be there.
  const positions = (await engine.state?.get(collections.positions, keys)) ?? [];
  const bounds = await engine.topics.bounds(topic);
  let at = 0;
  return subscriptions.map(({ partitions }) => {
    const own = positions.slice(at, (at += partitions));
    return lagOf(
      own.map((document) => document && (JSON.parse(document.value) as PositionDocument)),
      bounds,
    );
  });
}

function lagOf(positions: readonly (PositionDocument | undefined)[], bounds: readonly Bounds[]): Lag {
  let pending = 0;
  let settled = 0;
  let run = 0;
  for (const [partition, position] of positions.entries()) {
    if (!position) continue;
    let done = position.low;
    for (const [from, to] of position.finished) done += to - from + 1;
    pending += Math.max(0, (bounds[partition]?.next ?? 0) - done);
    settled += done;
    run += position.run;
  }
  return { pending, settled, run };
}
