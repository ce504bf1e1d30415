import type { EventRecord } from "../event/record.ts";

/** Collections of the store that relays use. */
export const outboxCollections = {
  /** Who the store is, by the key "store", and which broker it serves, by the key "broker". */
  identity: "$outbox",
  /** How far each partition of the outbox is sent, by its number. */
  positions: "$outbox-positions",
  /** What the broker refuses for good, and what waits behind it, by `parkedKey`. */
  parked: "$outbox-parked",
} as const;

/** Tells one store from another. */
export interface StoreIdentity {
  readonly id: string;
}

/** How far a partition of the outbox is sent. */
export interface RelayPosition {
  /** Position of the next row that is to be sent. */
  readonly next: number;
  /** The next number in the stream of what is sent after all (see `retryStreamOf`). */
  readonly retries: number;
}

/** A row that could not be sent. */
export interface ParkedRow {
  /** Partition and position of the row in the outbox. */
  readonly partition: number;
  readonly position: number;
  /** Where it was to go. */
  readonly topic: string;
  readonly targetPartition: number;
  readonly record: ParkedRecord;
  readonly checkId: boolean;
  readonly parkedAtMs: number;
  /** Why the broker refuses it; absent when it waits behind an earlier one of its key. */
  readonly refused?: { readonly code: string; readonly message: string };
  /** What an operator has asked for. */
  readonly asked?: { readonly what: "retry" | "discard"; readonly by: string; readonly atMs: number };
  /** The number under which it is sent again, once that has begun. */
  readonly retry?: number;
}

/** An event as JSON. */
export type ParkedRecord = Omit<EventRecord, "data" | "attributes"> & {
  readonly attributes?: EventRecord["attributes"];
  readonly data?: string;
  readonly dataBase64?: string;
};

/** Key of the document of a parked row: sorted as the rows are. */
export const parkedKey = (partition: number, position: number): string =>
  `${parkedPrefix(partition)}${String(position).padStart(16, "0")}`;

/** What the keys of all parked rows of a partition begin with. */
export const parkedPrefix = (partition: number): string => `${partition}/`;

/** The stream of the numbers that a relay gives to the rows of a partition. */
export const streamOf = (storeId: string, partition: number): string => `${storeId}.${partition}`;

/** Rows that were parked are sent behind later ones, so that they need numbers of their own. */
export const retryStreamOf = (storeId: string, partition: number): string => `${storeId}.${partition}r`;
