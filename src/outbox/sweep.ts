import type { Engine } from "../ports/engine.ts";
import { outboxCollections, type RelayPosition } from "./documents.ts";
import { outboxPartitions, outboxTopic } from "./row.ts";

/** By partition of the outbox: the position of the next row to be sent. */
export async function relayPositions(store: Engine): Promise<readonly number[]> {
  const keys = Array.from({ length: outboxPartitions }, (_, partition) => String(partition));
  const documents = (await store.state?.get(outboxCollections.positions, keys)) ?? [];
  return keys.map((_, i) => {
    const document = documents[i];
    return document ? (JSON.parse(document.value) as RelayPosition).next : 0;
  });
}

/** Removes rows that are sent. Resolves with how many. */
export async function sweep(store: Engine, nowMs: number): Promise<number> {
  return store.topics.retain(outboxTopic, { appendedBeforeMs: nowMs, floor: await relayPositions(store) });
}

/** How many rows of the outbox are not sent yet, in all partitions or in these. */
export async function unsent(store: Engine, partitions?: readonly number[]): Promise<number> {
  const bounds = await store.topics.bounds(outboxTopic);
  const positions = await relayPositions(store);
  return bounds.reduce((sum, { next }, partition) => {
    if (partitions?.includes(partition) === false) return sum;
    return sum + Math.max(0, next - (positions[partition] ?? 0));
  }, 0);
}
