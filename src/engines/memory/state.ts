import { byCodeUnits, sortedList } from "../../lib/sorted-list.ts";
import type { Document, Scan, State } from "../../ports/state.ts";
import type { Check, DocumentWrite } from "../../ports/transaction.ts";
import { type Handle, nothing, submit, touch, watch } from "./handle.ts";
import type { CollectionData, World } from "./world.ts";

/** The documents of the world as one engine sees them. */
export function memoryState(handle: Handle): State {
  const { world } = handle;
  const look = <Result>(run: () => Result): Promise<Result> => submit(handle, { kind: "read" }, nothing, run);
  return {
    async get(collection, keys) {
      const wanted = [...keys];
      return look(() => {
        const documents = world.collections.get(collection)?.documents;
        return wanted.map((key) => documents?.get(key));
      });
    },
    scan: (collection, scan) => look(() => scanCollection(world.collections.get(collection), { ...scan })),
    count: (collection, prefix) => look(() => count(world.collections.get(collection), prefix ?? "")),
    watch: (collection, listener) => watch(handle, stateWatch(collection), listener),
  };
}

/** The committed version of the document that a check speaks of; 0 when there is none. */
export function versionOf(world: World, { collection, key }: Pick<Check, "collection" | "key">): number {
  return world.collections.get(collection)?.documents.get(key)?.version ?? 0;
}

/** Sets or removes a document and tells the watchers. */
export function writeDocument(world: World, { collection, key, value }: DocumentWrite): void {
  const data = collectionOf(world, collection);
  const previous = data.documents.get(key);
  if (value !== null) {
    data.documents.set(key, Object.freeze({ key, version: (previous?.version ?? 0) + 1, value }));
    if (!previous) data.keys.add(key);
  } else if (previous) {
    data.documents.delete(key);
    data.keys.delete(key);
    if (data.documents.size === 0) world.collections.delete(collection);
  }
  touch(world, stateWatch(collection));
}

function stateWatch(collection: string): string {
  return `state ${collection}`;
}

function collectionOf(world: World, name: string): CollectionData {
  let data = world.collections.get(name);
  if (!data) world.collections.set(name, (data = { documents: new Map(), keys: sortedList(byCodeUnits) }));
  return data;
}

function scanCollection(data: CollectionData | undefined, scan: Scan): readonly Document[] {
  const { prefix = "", after, limit } = scan;
  const found: Document[] = [];
  if (!data || limit <= 0) return found;
  for (const key of data.keys.from(after !== undefined && after > prefix ? after : prefix)) {
    if (!key.startsWith(prefix)) break;
    if (after !== undefined && key <= after) continue;
    found.push(data.documents.get(key) as Document);
    if (found.length >= limit) break;
  }
  return found;
}

function count(data: CollectionData | undefined, prefix: string): number {
  if (!data) return 0;
  if (prefix === "") return data.documents.size;
  let found = 0;
  for (const key of data.keys.from(prefix)) {
    if (!key.startsWith(prefix)) break;
    found++;
  }
  return found;
}
