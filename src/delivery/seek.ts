import { TidingsError } from "../errors/tidings-error.ts";
import type { Lease } from "../ports/leases.ts";
import type { State } from "../ports/state.ts";
import type { DocumentWrite } from "../ports/transaction.ts";
import type { Partition } from "./partition/partition.ts";
import {
  collections,
  type DeadLetter,
  type Intent,
  partitionKey,
  positionKey,
  type PositionDocument,
} from "./records.ts";
import { positionAt } from "./registration.ts";
import type { SubscriptionRuntime } from "./runtime.ts";

/**
 * Begins a new run at the position of a seek. Refuses over held keys unless they are to be retired. The intent goes in the
 * same commit, and `more` is written in it, so that nobody moves a second time what has been moved.
 */
export async function movePosition(
  runtime: SubscriptionRuntime,
  partition: Partition,
  lease: Lease,
  intent: Intent & { kind: "seek" },
  more: readonly DocumentWrite[] = [],
): Promise<void> {
  const { engine, platform } = runtime;
  const key = positionKey(runtime.name, partition.number);
  // As stored: the partition may have been stopped before it knew them.
  const heldKeys = await countHeld(runtime, partition.number);
  if (heldKeys > 0 && !intent.retireHeld) throw heldKeysOpen(runtime, partition.number, heldKeys);
  const [stored] = (await engine.state?.get(collections.positions, [key])) ?? [];
  const old = JSON.parse(stored?.value ?? "{}") as PositionDocument;
  const position = {
    ...positionAt(intent.position, platform.clock.now(), old.run + 1, old.commit + 1),
    // What a relay repeats behind it was there before, and is no event of its own.
    ...(old.relayed && intent.position >= old.low ? { relayed: old.relayed } : {}),
  };
  const retired = heldKeys > 0 ? await retireHeld(runtime, partition.number, intent.by) : [];
  const told = runtime.feed.of(retired);
  const outcome = await engine.transact?.({
    fences: [{ lease: lease.name, token: lease.token }],
    ...(told ? { publish: told } : {}),
    documents: [
      { collection: collections.positions, key, value: JSON.stringify(position) },
      { collection: collections.claims, key, value: null },
      { collection: collections.intents, key: `${runtime.name}/${intent.id}`, value: null },
      ...retired,
      ...more,
    ],
  });
  if (!outcome?.committed)
    throw new TidingsError("TIDINGS_FENCED", `Another member has taken over ${key} meanwhile; try again.`);
}

async function countHeld(runtime: SubscriptionRuntime, partition: number): Promise<number> {
  const range = { prefix: `${partitionKey(partition)}/`, limit: Number.MAX_SAFE_INTEGER };
  return (await (runtime.engine.state as State).scan(collections.held(runtime.name), range)).length;
}

function heldKeysOpen(runtime: SubscriptionRuntime, partition: number, heldKeys: number): TidingsError {
  return new TidingsError(
    "TIDINGS_HELD_KEYS_OPEN",
    `Partition ${partition} of "${runtime.name}" has ${heldKeys} held keys: redrive or discard them first, or seek with --retire-held to set them aside as superseded.`,
    { details: { subscription: runtime.name, partition, heldKeys } },
  );
}

/** Writes that close every dead letter of a partition as superseded and forget its held keys. */
async function retireHeld(runtime: SubscriptionRuntime, partition: number, by: string): Promise<DocumentWrite[]> {
  const state = runtime.engine.state as State;
  const prefix = `${partitionKey(partition)}/`;
  const writes: DocumentWrite[] = [];
  for (const collection of [collections.held(runtime.name), collections.heldEvents(runtime.name)]) {
    for (const { key } of await state.scan(collection, { prefix, limit: Number.MAX_SAFE_INTEGER }))
      writes.push({ collection, key, value: null });
  }
  const open = collections.deadLetters(runtime.name);
  const superseded = { state: "discarded", closedBy: by, note: "superseded by a seek" } as const;
  for (const { key, value } of await state.scan(open, { limit: Number.MAX_SAFE_INTEGER })) {
    const letter = JSON.parse(value) as DeadLetter;
    if (letter.partition !== partition) continue;
    const closed: DeadLetter = { ...letter, ...superseded, closedAtMs: runtime.platform.clock.now() };
    writes.push({ collection: open, key, value: null });
    writes.push({ collection: collections.closedDeadLetters(runtime.name), key, value: JSON.stringify(closed) });
  }
  return writes;
}
