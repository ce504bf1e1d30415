import { TidingsError } from "../errors/tidings-error.ts";
import { collections, type DeadLetter, type DeadLetterReason, type HeldDocument } from "../delivery/records.ts";
import { heldKey } from "../delivery/held/held-entry.ts";
import { readDefinitions } from "../delivery/totals.ts";
import { type AdminContext, scanAll, storeOf } from "./context.ts";
import { findSubscription } from "./subscriptions.ts";

/** Which dead letters are meant; every condition that is given must hold. */
export interface DeadLetterFilter {
  readonly subscription?: string;
  readonly ids?: readonly string[];
  readonly type?: string;
  readonly key?: string;
  readonly reason?: DeadLetterReason;
  readonly fingerprint?: string;
  /** Given up at or after, and before these instants. */
  readonly sinceMs?: number;
  readonly beforeMs?: number;
  /** `open` are those that wait for somebody; also `redriving`, and of the closed ones `resolved` and `discarded`. */
  readonly state?: DeadLetter["state"];
}

/** A page of a list: ids rise with time, so `after` is the last id of the page before. */
export interface Page {
  readonly after?: string;
  /** At most so many; 1000. */
  readonly limit?: number;
}

/** Dead letters that are probably one fault. */
export interface DeadLetterGroup {
  readonly fingerprint: string;
  readonly count: number;
  readonly subscriptions: readonly string[];
  readonly types: readonly string[];
  readonly code: string;
  readonly message: string;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** The oldest one, to look at. */
  readonly sample: string;
}

/** A dead letter with what waits behind it. */
export interface DeadLetterStory {
  readonly letter: DeadLetter;
  /** Later events of its key that wait for it. */
  readonly waiting: number;
}

/** Dead letters in the order in which they were given up, those that wait or are being redriven unless the filter says otherwise. */
export async function listDeadLetters(
  context: AdminContext,
  filter: DeadLetterFilter & Page,
): Promise<readonly DeadLetter[]> {
  const { limit = 1000 } = filter;
  const letters: DeadLetter[] = [];
  for (const name of await namesOf(context, filter.subscription)) {
    let found = 0;
    for await (const letter of lettersOf(context, name, filter)) {
      letters.push(letter);
      if ((found += 1) >= limit) break;
    }
  }
  return letters.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit);
}

/** How many there are, without a limit. */
export async function countDeadLetters(context: AdminContext, filter: DeadLetterFilter): Promise<number> {
  let count = 0;
  for (const name of await namesOf(context, filter.subscription))
    for await (const _letter of lettersOf(context, name, filter)) count += 1;
  return count;
}

/** Dead letters by what is probably the same fault, largest group first. */
export async function groupDeadLetters(
  context: AdminContext,
  filter: DeadLetterFilter,
): Promise<readonly DeadLetterGroup[]> {
  const groups = new Map<string, DeadLetter[]>();
  for (const name of await namesOf(context, filter.subscription)) {
    for await (const letter of lettersOf(context, name, filter)) {
      const group = groups.get(letter.failure.fingerprint) ?? [];
      groups.set(letter.failure.fingerprint, group);
      group.push(letter);
    }
  }
  return [...groups.values()].map(groupOf).sort((a, b) => b.count - a.count || (a.sample < b.sample ? -1 : 1));
}

function groupOf(letters: readonly DeadLetter[]): DeadLetterGroup {
  const oldest = letters.reduce((first, letter) => (letter.id < first.id ? letter : first));
  const times = letters.map(({ lastFailedAtMs }) => lastFailedAtMs);
  return {
    fingerprint: oldest.failure.fingerprint,
    count: letters.length,
    subscriptions: [...new Set(letters.map(({ subscription }) => subscription))].sort(),
    types: [...new Set(letters.map(({ record }) => record.type))].sort(),
    code: oldest.failure.code,
    message: oldest.failure.message,
    firstAtMs: Math.min(...letters.map(({ parkedAtMs }) => parkedAtMs)),
    lastAtMs: times.reduce((last, time) => Math.max(last, time), 0),
    sample: oldest.id,
  };
}

/** A dead letter, open or closed. Throws TIDINGS_NOT_FOUND. */
export async function showDeadLetter(context: AdminContext, id: string): Promise<DeadLetterStory> {
  const { state } = storeOf(context.engine);
  for (const name of await namesOf(context, undefined)) {
    const [open] = await state.get(collections.deadLetters(name), [id]);
    const [closed] = open ? [] : await state.get(collections.closedDeadLetters(name), [id]);
    const document = open ?? closed;
    if (!document) continue;
    const letter = JSON.parse(document.value) as DeadLetter;
    const [held] = open ? await state.get(collections.held(name), [heldKey(letter.partition, letter.heldId)]) : [];
    return { letter, waiting: held ? waitingBehind(JSON.parse(held.value) as HeldDocument) : 0 };
  }
  throw new TidingsError("TIDINGS_NOT_FOUND", `There is no dead letter with the id ${id}.`, { details: { id } });
}

function waitingBehind({ headSeq, nextSeq }: HeldDocument): number {
  return Math.max(0, nextSeq - headSeq - 1);
}

async function namesOf(context: AdminContext, subscription: string | undefined): Promise<readonly string[]> {
  if (subscription !== undefined) return [(await findSubscription(context, subscription))[0]];
  return (await readDefinitions(context.engine)).map(([name]) => name);
}

async function* lettersOf(
  { engine }: AdminContext,
  name: string,
  filter: DeadLetterFilter & Page,
): AsyncGenerator<DeadLetter> {
  const { state } = storeOf(engine);
  const closed = filter.state === "resolved" || filter.state === "discarded";
  const collection = closed ? collections.closedDeadLetters(name) : collections.deadLetters(name);
  if (filter.ids) {
    for (const document of await state.get(collection, filter.ids)) {
      const letter = document && (JSON.parse(document.value) as DeadLetter);
      if (letter && matches(letter, filter)) yield letter;
    }
    return;
  }
  const scan = filter.after === undefined ? {} : { after: filter.after };
  for await (const [, letter] of scanAll<DeadLetter>(state, collection, scan))
    if (matches(letter, filter)) yield letter;
}

function matches(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  return (
    (filter.type === undefined || letter.record.type === filter.type) &&
    (filter.key === undefined || letter.key === filter.key) &&
    (filter.reason === undefined || letter.reason === filter.reason) &&
    (filter.fingerprint === undefined || letter.failure.fingerprint === filter.fingerprint) &&
    (filter.sinceMs === undefined || letter.parkedAtMs >= filter.sinceMs) &&
    (filter.beforeMs === undefined || letter.parkedAtMs < filter.beforeMs) &&
    (filter.state === undefined || letter.state === filter.state)
  );
}
