import { TidingsError } from "../errors/tidings-error.ts";
import { collections, type DeadLetter, type HeldDocument } from "../delivery/records.ts";
import { heldKey } from "../delivery/held/held-entry.ts";
import { readDefinitions } from "../delivery/totals.ts";
import { type AdminContext, scanAll, storeOf } from "./context.ts";
import { type DeadLetterFilter, matches } from "./dead-letter-filter.ts";
import { findSubscription } from "./subscriptions.ts";

/** A page of a list: ids rise with time, so `after` is the last id of the page before. */
export interface Page {
  readonly after?: string;
  /** At most so many; 1000. */
  readonly limit?: number;
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

/** The named subscription, or all of them. Throws TIDINGS_NOT_FOUND. */
export async function namesOf(context: AdminContext, subscription: string | undefined): Promise<readonly string[]> {
  if (subscription !== undefined) return [(await findSubscription(context, subscription))[0]];
  return (await readDefinitions(context.engine)).map(([name]) => name);
}

/** The dead letters of a subscription that match: of the open ones, unless the filter or `closed` asks for the others. */
export async function* lettersOf(
  { engine }: AdminContext,
  name: string,
  filter: DeadLetterFilter & Page & { readonly closed?: boolean },
): AsyncGenerator<DeadLetter> {
  const { state } = storeOf(engine);
  const closed = filter.closed ?? (filter.state === "resolved" || filter.state === "discarded");
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
