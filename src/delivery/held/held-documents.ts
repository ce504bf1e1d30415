import type { StoredRecord } from "../../event/record.ts";
import type { Document, State } from "../../ports/state.ts";
import type { DocumentWrite } from "../../ports/transaction.ts";
import {
  collections,
  type DeadLetter,
  type HeldDocument,
  type HeldEventDocument,
  partitionKey,
  recordFromDocument,
  recordToDocument,
} from "../records.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import { entryFromDocument, entryToDocument, type HeldEntry, heldCount, heldEventKey, heldKey } from "./held-entry.ts";

/** A page of held documents. */
const pageMax = 500;

/** The first event of an entry. */
export interface HeldHead {
  readonly seq: number;
  readonly record: StoredRecord;
  /** It has the identity of another event, and another payload. */
  readonly idConflict: boolean;
}

/** The documents of the held keys of one partition: how they are written and read. */
export class HeldDocuments {
  readonly #runtime: SubscriptionRuntime;
  readonly #partition: number;
  readonly #run: number;
  readonly #state: State;
  readonly #entries: string;
  readonly #events: string;

  constructor(runtime: SubscriptionRuntime, partition: number, run: number) {
    this.#runtime = runtime;
    this.#partition = partition;
    this.#run = run;
    this.#state = runtime.engine.state as State;
    this.#entries = collections.held(runtime.name);
    this.#events = collections.heldEvents(runtime.name);
  }

  /** Writes an entry as it is now, or removes it when nothing waits. */
  entry(entry: HeldEntry): DocumentWrite {
    const gone = heldCount(entry) === 0 && entry.reason !== "paused";
    return {
      collection: this.#entries,
      key: heldKey(this.#partition, entry.id),
      value: gone ? null : JSON.stringify(entryToDocument(entry, this.#partition, this.#run)),
    };
  }

  /** Writes an event of an entry, or removes it. */
  event(entry: HeldEntry, seq: number, record: StoredRecord | null, idConflict: boolean = false): DocumentWrite {
    const key = heldEventKey(this.#partition, entry.id, seq);
    if (record === null) return { collection: this.#events, key, value: null };
    const { position, appendedAtMs } = record;
    const document: HeldEventDocument = {
      position,
      appendedAtMs,
      record: recordToDocument(record),
      ...(idConflict ? { idConflict } : {}),
    };
    return { collection: this.#events, key, value: JSON.stringify(document) };
  }

  /** The first event of an entry with its sequence number; undefined when nothing is stored. */
  async head(entry: HeldEntry): Promise<HeldHead | undefined> {
    const prefix = `${heldKey(this.#partition, entry.id)}#`;
    const [document] = await this.#state.scan(this.#events, { prefix, limit: 1 });
    if (!document) return undefined;
    const { record, position, appendedAtMs, idConflict = false } = JSON.parse(document.value) as HeldEventDocument;
    const place = { topic: this.#runtime.topic, partition: this.#partition, position, appendedAtMs };
    return { seq: Number(document.key.slice(prefix.length)), record: recordFromDocument(record, place), idConflict };
  }

  /** The open dead letter of an entry's head. */
  async letter(entry: HeldEntry): Promise<DeadLetter | undefined> {
    if (entry.deadLetter === undefined) return undefined;
    const [document] = await this.#state.get(collections.deadLetters(this.#runtime.name), [entry.deadLetter]);
    return document && (JSON.parse(document.value) as DeadLetter);
  }

  /** Every entry of the partition. */
  async all(): Promise<readonly HeldEntry[]> {
    const prefix = `${partitionKey(this.#partition)}/`;
    const entries: HeldEntry[] = [];
    let page: readonly Document[];
    let after: string | undefined;
    do {
      const range = { prefix, limit: pageMax, ...(after === undefined ? {} : { after }) };
      page = await this.#state.scan(this.#entries, range);
      for (const { key, value } of page)
        entries.push(entryFromDocument(key.slice(prefix.length), JSON.parse(value) as HeldDocument));
      after = page.at(-1)?.key;
    } while (page.length === pageMax);
    return entries;
  }
}
