import type { StoredRecord } from "../event/record.ts";
import { heldIdOfKey, heldIdOfPosition, heldKey } from "../delivery/held/held-entry.ts";
import {
  type ClaimDocument,
  collections,
  type DeadLetter,
  type HeldDocument,
  type HeldEventDocument,
  positionKey,
  type PositionDocument,
  type SubscriptionDocument,
} from "../delivery/records.ts";
import { readDefinitions } from "../delivery/totals.ts";
import type { Engine } from "../ports/engine.ts";
import { scanAll, storeOf } from "./context.ts";

/** What became of an event in one subscription. */
export interface EventFate {
  readonly subscription: string;
  readonly fate:
    | "handled"
    | "filtered"
    | "pending"
    | "running or suspect"
    | "before its start"
    | "waiting behind its key"
    | "waiting for a retry"
    | "paused with its key"
    | "dead letter"
    | "redriving"
    | "resolved"
    | "discarded";
  /** Why, or what to look at next. */
  readonly detail: string | undefined;
  readonly deadLetter?: string;
}

type Found = Omit<EventFate, "subscription">;

/** What became of an event in every subscription on its topic. */
export async function eventFates(engine: Engine, record: StoredRecord): Promise<readonly EventFate[]> {
  if (!engine.state) return [];
  const fates: EventFate[] = [];
  for (const [subscription, definition] of await readDefinitions(engine)) {
    if (definition.topic === record.topic)
      fates.push({ subscription, ...(await fateOf(engine, subscription, definition, record)) });
  }
  return fates;
}

async function fateOf(
  engine: Engine,
  name: string,
  definition: SubscriptionDocument,
  record: StoredRecord,
): Promise<Found> {
  const { state } = storeOf(engine);
  const key = positionKey(name, record.partition);
  const [stored] = await state.get(collections.positions, [key]);
  if (!stored) return { fate: "pending", detail: "the subscription does not know this partition yet" };
  const position = JSON.parse(stored.value) as PositionDocument;
  const letter = await letterFate(engine, name, record, position.run);
  if (letter) return letter;
  if (record.position < position.start)
    return { fate: "before its start", detail: `this run began at position ${position.start}` };
  const settled =
    record.position < position.low ||
    position.finished.some(([from, to]) => record.position >= from && record.position <= to);
  if (!settled) return pendingFate(engine, key, position, record);
  if (!(record.type in definition.types)) return { fate: "filtered", detail: "it has no handler for this type" };
  return (await heldFate(engine, name, record)) ?? { fate: "handled", detail: undefined };
}

async function pendingFate(
  engine: Engine,
  key: string,
  position: PositionDocument,
  record: StoredRecord,
): Promise<Found> {
  const [claim] = await storeOf(engine).state.get(collections.claims, [key]);
  const claimed = claim && (JSON.parse(claim.value) as ClaimDocument);
  if (claimed && (record.position < claimed.to || claimed.suspects?.[record.position] !== undefined))
    return { fate: "running or suspect", detail: "claimed; its handler runs, or its process died while it ran" };
  const before = record.position - position.low;
  return { fate: "pending", detail: before > 0 ? `about ${before} events are before it` : "it is next" };
}

/** By the dead letter that it was in this run: a seek lets everything begin anew. */
async function letterFate(engine: Engine, name: string, record: StoredRecord, run: number): Promise<Found | undefined> {
  const { state } = storeOf(engine);
  for (const collection of [collections.deadLetters(name), collections.closedDeadLetters(name)]) {
    for await (const [, letter] of scanAll<DeadLetter>(state, collection)) {
      if (letter.partition !== record.partition || letter.position !== record.position || letter.run !== run) continue;
      const fate = letter.state === "open" ? "dead letter" : letter.state;
      return { fate, detail: `${letter.reason}: ${letter.failure.message}`, deadLetter: letter.id };
    }
  }
  return undefined;
}

async function heldFate(engine: Engine, name: string, record: StoredRecord): Promise<Found | undefined> {
  const { state } = storeOf(engine);
  const ids = [heldIdOfPosition(record.position), ...(record.key === null ? [] : [heldIdOfKey(record.key)])];
  for (const id of ids) {
    const key = heldKey(record.partition, id);
    const [document] = await state.get(collections.held(name), [key]);
    if (!document) continue;
    const held = JSON.parse(document.value) as HeldDocument;
    let ahead = 0;
    for await (const [, event] of scanAll<HeldEventDocument>(state, collections.heldEvents(name), {
      prefix: `${key}#`,
    })) {
      if (event.position === record.position) return heldFound(held, ahead);
      ahead += 1;
    }
  }
  return undefined;
}

function heldFound(held: HeldDocument, ahead: number): Found {
  const letter = held.deadLetter === undefined ? {} : { deadLetter: held.deadLetter };
  if (held.reason === "paused") return { fate: "paused with its key", detail: held.note, ...letter };
  if (ahead > 0) {
    const why =
      held.reason === "dead" ? `the dead letter ${held.deadLetter}` : `an event that waits for a ${held.reason}`;
    return { fate: "waiting behind its key", detail: `${ahead} before it; at the head ${why}`, ...letter };
  }
  const at = held.dueAtMs === undefined ? "at once" : `at ${new Date(held.dueAtMs).toISOString()}`;
  const last = held.tries.attempts.at(-1)?.message;
  return {
    fate: "waiting for a retry",
    detail: `${held.tries.failures} failures, again ${at}${last ? `: ${last}` : ""}`,
    ...letter,
  };
}
