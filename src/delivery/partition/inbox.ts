import { hasCode, TidingsError } from "../../errors/tidings-error.ts";
import { payloadHash } from "../../event/hash.ts";
import type { StoredRecord } from "../../event/record.ts";
import type { Engine } from "../../ports/engine.ts";
import type { TimerWrite } from "../../ports/transaction.ts";
import { collections } from "../records.ts";

/**
 * Remembers the identities (source, id) that a subscription has handled, as timers that are due when the window ends: so
 * looking one up and forgetting old ones, which is up to housekeeping, are both cheap. The run is part of the key, so that
 * a replay is no duplicate.
 */
export interface Inbox {
  /** Whether the event was handled before: with the same payload, or another one under the same identity. */
  seen(record: StoredRecord): Promise<"new" | "duplicate" | "id-conflict">;
  /** The write that remembers the event; it goes along with the handler's commit. */
  remember(record: StoredRecord): TimerWrite;
}

/** What an event fails with that has the identity of another one, and another payload. */
export function idConflictOf({ id, source, topic }: StoredRecord, subscription: string): TidingsError {
  return new TidingsError(
    "TIDINGS_ID_CONFLICT",
    `The event ${id} of ${source} was handled before with another payload.`,
    { details: { id, topic, subscription } },
  );
}

/** Whether an event is to fail with that. */
export function isIdConflict(error: unknown, { id }: StoredRecord): boolean {
  return hasCode(error, "TIDINGS_ID_CONFLICT") && error.details["id"] === id && "subscription" in error.details;
}

export function createInbox(engine: Engine, subscription: string, run: number, windowMs: number): Inbox {
  const queue = collections.inbox(subscription);
  const timers = engine.timers as NonNullable<Engine["timers"]>;
  /** Remembered, and perhaps not committed yet. */
  const recent = new Map<string, string>();
  const keyOf = (record: StoredRecord): string => `${run}/${record.source}\u0000${record.id}`;
  return {
    async seen(record) {
      const key = keyOf(record);
      const known = recent.get(key) ?? (await timers.find(queue, key))?.payload;
      if (known === undefined) return "new";
      return known === payloadHash(record) ? "duplicate" : "id-conflict";
    },
    remember(record) {
      const key = keyOf(record);
      const payload = payloadHash(record);
      recent.set(key, payload);
      if (recent.size > 10_000) recent.delete(recent.keys().next().value as string);
      return { queue, key, dueAtMs: record.appendedAtMs + windowMs, payload };
    },
  };
}
