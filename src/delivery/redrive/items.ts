import type { State } from "../../ports/state.ts";
import type { DocumentWrite } from "../../ports/transaction.ts";
import { collections } from "../records.ts";
import { type ChunkDocument, chunkKey, itemStatus, type ItemTuple } from "./documents.ts";

/** One dead letter that an operation covers, in the hands of its driver. */
export interface RedriveItem {
  readonly id: string;
  /** Number of its subscription. */
  readonly subscription: number;
  readonly partition: number;
  readonly key: string | null;
  /** How often it had been redriven when it was covered. */
  readonly redrives: number;
  readonly chunk: number;
  status: number;
}

/** Chunks read at once. */
const pageMax = 100;

/** What an operation covers, with what has become of each, and which chunks have to be written. */
export class RedriveItems {
  readonly #operation: string;
  readonly #chunks: readonly (readonly RedriveItem[])[];
  readonly #dirty = new Set<number>();
  /** In no chunk before this one anything waits. */
  #firstWaiting = 0;

  constructor(operation: string, chunks: readonly (readonly RedriveItem[])[]) {
    this.#operation = operation;
    this.#chunks = chunks;
  }

  /** Reads what the store has. */
  static async load(state: State, operation: string): Promise<RedriveItems> {
    const chunks: RedriveItem[][] = [];
    for (let after: string | undefined; ;) {
      const range = { prefix: `${operation}/`, limit: pageMax, ...(after === undefined ? {} : { after }) };
      const page = await state.scan(collections.redriveItems, range);
      for (const { value } of page) {
        const chunk = chunks.length;
        chunks.push((JSON.parse(value) as ChunkDocument).items.map((tuple) => itemOf(tuple, chunk)));
      }
      if (page.length < pageMax) return new RedriveItems(operation, chunks);
      after = page.at(-1)?.key;
    }
  }

  /** Items that wait for their turn, oldest first. */
  *waiting(): Generator<RedriveItem> {
    for (let chunk = this.#firstWaiting; chunk < this.#chunks.length; chunk++) {
      let found = false;
      for (const item of this.#chunks[chunk] as readonly RedriveItem[]) {
        if (item.status !== itemStatus.waiting) continue;
        found = true;
        yield item;
      }
      if (!found && chunk === this.#firstWaiting) this.#firstWaiting = chunk + 1;
    }
  }

  /** Items that are asked for, or sent back without an outcome. */
  with(status: number): readonly RedriveItem[] {
    return this.#chunks.flatMap((items) => items.filter((item) => item.status === status));
  }

  set(item: RedriveItem, status: number): void {
    item.status = status;
    this.#dirty.add(item.chunk);
    if (status === itemStatus.waiting) this.#firstWaiting = Math.min(this.#firstWaiting, item.chunk);
  }

  /** Writes what has changed since `written`. */
  writes(): readonly DocumentWrite[] {
    return [...this.#dirty].map((chunk) => ({
      collection: collections.redriveItems,
      key: chunkKey(this.#operation, chunk),
      value: chunkText((this.#chunks[chunk] as readonly RedriveItem[]).map(tupleOf)),
    }));
  }

  written(): void {
    this.#dirty.clear();
  }
}

/** A chunk as the store holds it. */
export const chunkText = (items: readonly ItemTuple[]): string => JSON.stringify({ items } satisfies ChunkDocument);

function itemOf([id, subscription, partition, key, redrives, status]: ItemTuple, chunk: number): RedriveItem {
  return { id, subscription, partition, key, redrives, status, chunk };
}

function tupleOf({ id, subscription, partition, key, redrives, status }: RedriveItem): ItemTuple {
  return [id, subscription, partition, key, redrives, status];
}
