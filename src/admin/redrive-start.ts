import { TidingsError } from "../errors/tidings-error.ts";
import { collections } from "../delivery/records.ts";
import {
  type ChunkDocument,
  chunkKey,
  chunkSize,
  itemStatus,
  type ItemTuple,
  type RedriveDocument,
  type RedriveFilter,
} from "../delivery/redrive/documents.ts";
import { chunkText } from "../delivery/redrive/items.ts";
import { type AdminContext, scanAll, type Store, storeOf } from "./context.ts";
import { checkRedrive, paceOf, type RedriveOptions } from "./redrive-options.ts";
import { checkSelection, type Covered, snapshot } from "./redrive-snapshot.ts";

/** Chunks written in one transaction. */
const chunksAtOnce = 20;

/**
 * Writes down what is covered, then the operation: it is there with all that it covers, or not at all. What a process
 * that died on the way has written is removed by the housekeeping.
 */
export async function startRedrive(
  context: AdminContext,
  filter: RedriveFilter,
  options: RedriveOptions,
): Promise<RedriveDocument> {
  checkRedrive(filter, options);
  const covered = await snapshot(context, { ...filter, state: "open" }, options.max);
  await checkSelection(context, filter, covered.length, options.everything ?? false);
  const store = storeOf(context.engine);
  const id = context.platform.ids.next();
  const { document, chunks } = planOf(context, id, filter, options, covered);
  let guard = await freeGuard(store, covered);
  for (let from = 0; from < chunks.length; from += chunksAtOnce)
    await store.transact({
      documents: chunks.slice(from, from + chunksAtOnce).map((items, i) => ({
        collection: collections.redriveItems,
        key: chunkKey(id, from + i),
        value: chunkText(items),
      })),
    });
  try {
    while (!(await publish(store, document, guard))) guard = await freeGuard(store, covered);
  } catch (error) {
    await removeChunks(store, id, chunks.length);
    throw error;
  }
  return document;
}

/** Unless another operation has begun meanwhile. */
async function publish(store: Store, document: RedriveDocument, guard: number): Promise<boolean> {
  const { redriveGuard, redrives } = collections;
  const outcome = await store.transact({
    checks: [{ collection: redriveGuard, key: "last", version: guard }],
    documents: [
      { collection: redriveGuard, key: "last", value: JSON.stringify(document.id) },
      { collection: redrives, key: document.id, value: JSON.stringify(document) },
    ],
  });
  return outcome.committed;
}

/** Unless the operation has begun after all, and nobody was told so: without what it covers it would never end. */
async function removeChunks(store: Store, id: string, count: number): Promise<void> {
  const documents = Array.from({ length: count }, (_, chunk) => ({
    collection: collections.redriveItems,
    key: chunkKey(id, chunk),
    value: null,
  }));
  const checks = [{ collection: collections.redrives, key: id, version: 0 }];
  await store.transact({ checks, documents, durable: false }).catch(() => undefined);
}

/** The version of the guard at which no other operation covers any of these. Throws TIDINGS_REDRIVE_CONFLICT. */
async function freeGuard(store: Store, covered: readonly Covered[]): Promise<number> {
  const [guard] = await store.state.get(collections.redriveGuard, ["last"]);
  const wanted = new Set(covered.map(({ id }) => id));
  for await (const [id, operation] of scanAll<RedriveDocument>(store.state, collections.redrives)) {
    let both = 0;
    for await (const [, { items }] of scanAll<ChunkDocument>(store.state, collections.redriveItems, {
      prefix: `${id}/`,
    }))
      for (const [letter, , , , , status] of items) if (isOpen(operation, status) && wanted.has(letter)) both += 1;
    if (both > 0) throw conflict(operation, both, covered.length);
  }
  return guard?.version ?? 0;
}

/** Whether an operation may still work on a dead letter that it covers. */
function isOpen({ state }: RedriveDocument, status: number): boolean {
  if (status === itemStatus.waiting) return state === "running" || state === "paused";
  return status === itemStatus.asked || status === itemStatus.moved;
}

function conflict({ id, state, by }: RedriveDocument, both: number, wanted: number): TidingsError {
  return new TidingsError(
    "TIDINGS_REDRIVE_CONFLICT",
    `The redrive ${id} (${state}, by ${by}) covers ${both} of these ${wanted} dead letters already: wait for it, cancel it, or narrow the filter.`,
    { details: { redrive: id, covered: both } },
  );
}

function planOf(
  { platform, by }: AdminContext,
  id: string,
  filter: RedriveFilter,
  options: RedriveOptions,
  covered: readonly Covered[],
): { readonly document: RedriveDocument; readonly chunks: readonly (readonly ItemTuple[])[] } {
  const atMs = platform.clock.now();
  const topics = new Map(covered.map(({ subscription, topic }) => [subscription, topic]));
  const numbers = new Map([...topics.keys()].map((name, number) => [name, number]));
  const items = covered.map((letter): ItemTuple => [
    letter.id,
    numbers.get(letter.subscription) as number,
    letter.partition,
    letter.key,
    letter.redrives,
    itemStatus.waiting,
  ]);
  const chunks = Array.from({ length: Math.ceil(items.length / chunkSize) }, (_, i) =>
    items.slice(i * chunkSize, (i + 1) * chunkSize),
  );
  const reason = options.reason === undefined ? {} : { reason: options.reason };
  const document: RedriveDocument = {
    id,
    state: "running",
    filter,
    pace: paceOf(options),
    by,
    ...reason,
    createdAtMs: atMs,
    subscriptions: [...topics],
    chunks: chunks.length,
    counts: { covered: items.length, moved: 0, succeeded: 0, failedAgain: 0, setAside: 0, skipped: 0 },
    batches: 0,
    rampStep: 0,
    asked: [],
    skippedWhy: {},
    skips: [],
    log: [{ atMs, what: "started", by, ...reason }],
  };
  return { document, chunks };
}
