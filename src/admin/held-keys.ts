import { partitionOf } from "../event/partitioner.ts";
import { collections, type HeldDocument } from "../delivery/records.ts";
import { readDefinitions } from "../delivery/totals.ts";
import { type AdminContext, scanAll, storeOf } from "./context.ts";
import { askOwners, throwRefusal } from "./intents.ts";
import { findSubscription } from "./subscriptions.ts";

/** A held key as operators see it. */
export interface HeldKey {
  readonly subscription: string;
  readonly partition: number;
  /** Null for an event that is held alone. */
  readonly key: string | null;
  /** `retry` waits for its time, `dead` for an operator, `paused` for its end, `drain` catches up. */
  readonly reason: HeldDocument["reason"];
  readonly sinceMs: number;
  readonly dueAtMs: number | undefined;
  /** Events that wait, the head included. */
  readonly events: number;
  readonly failures: number;
  readonly deadLetter: string | undefined;
  /** Why it is paused. */
  readonly note: string | undefined;
}

/** Which held keys to list. */
export interface HeldKeyFilter {
  readonly subscription?: string;
  readonly reason?: HeldDocument["reason"];
  readonly key?: string;
  /** At most so many; 1000. */
  readonly limit?: number;
}

/** Operations on single keys of a subscription. */
export interface HeldKeysAdmin {
  list(filter?: HeldKeyFilter): Promise<readonly HeldKey[]>;
  /** Lets the events of one key wait. Throws TIDINGS_NOT_PAUSABLE when it waits behind a dead letter, TIDINGS_NO_ANSWER. */
  pause(
    subscription: string,
    key: string,
    options: { readonly reason: string; readonly untilMs?: number; readonly signal?: AbortSignal },
  ): Promise<void>;
  /** Lets them go on. Throws TIDINGS_NOT_PAUSABLE when the key is not paused, TIDINGS_NO_ANSWER. */
  resume(subscription: string, key: string, options?: { readonly signal?: AbortSignal }): Promise<void>;
}

export function heldKeysAdmin(context: AdminContext): HeldKeysAdmin {
  return {
    list: (filter = {}) => listHeld(context, filter),
    async pause(asked, key, { reason, untilMs, signal }) {
      const [subscription, { topic, partitions }] = await findSubscription(context, asked);
      const place = { subscription, partition: partitionOf(key, partitions), key };
      const until = untilMs === undefined ? {} : { untilMs };
      const [answer] = await askOwners(
        context,
        [{ kind: "pause-key", ...place, reason, ...until }],
        () => topic,
        signal,
      );
      if (answer) throwRefusal(answer);
    },
    async resume(asked, key, { signal } = {}) {
      const [subscription, { topic, partitions }] = await findSubscription(context, asked);
      const place = { subscription, partition: partitionOf(key, partitions), key };
      const [answer] = await askOwners(context, [{ kind: "resume-key", ...place }], () => topic, signal);
      if (answer) throwRefusal(answer);
    },
  };
}

async function listHeld(context: AdminContext, filter: HeldKeyFilter): Promise<readonly HeldKey[]> {
  const { state } = storeOf(context.engine);
  const { limit = 1000 } = filter;
  const names =
    filter.subscription === undefined
      ? (await readDefinitions(context.engine)).map(([name]) => name)
      : [(await findSubscription(context, filter.subscription))[0]];
  const keys: HeldKey[] = [];
  for (const subscription of names) {
    for await (const [, held] of scanAll<HeldDocument>(state, collections.held(subscription))) {
      if (keys.length >= limit) return keys;
      if (filter.reason !== undefined && held.reason !== filter.reason) continue;
      if (filter.key !== undefined && held.key !== filter.key) continue;
      keys.push(heldKeyOf(subscription, held));
    }
  }
  return keys;
}

function heldKeyOf(subscription: string, held: HeldDocument): HeldKey {
  const { partition, key, reason, sinceMs, dueAtMs, headSeq, nextSeq, tries, deadLetter, note } = held;
  const events = nextSeq - headSeq;
  return { subscription, partition, key, reason, sinceMs, dueAtMs, events, failures: tries.failures, deadLetter, note };
}
