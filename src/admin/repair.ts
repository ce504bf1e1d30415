import { TidingsError } from "../errors/tidings-error.ts";
import type { DeadLetter, Refused } from "../delivery/records.ts";
import type { AdminContext } from "./context.ts";
import { checkFilter, type DeadLetterFilter } from "./dead-letter-filter.ts";
import { type DeadLetterGroup, groupDeadLetters } from "./dead-letter-groups.ts";
import { countDeadLetters, type DeadLetterStory, listDeadLetters, type Page, showDeadLetter } from "./dead-letters.ts";
import { type Edit, type EditResult, editOne } from "./edit.ts";
import { type Ask, askOwners } from "./intents.ts";
import { type Covered, snapshot } from "./redrive-snapshot.ts";

/** A dead letter that could not be repaired, and why. */
export interface Refusal extends Refused {
  readonly subscription: string;
}

/** How to go through many dead letters. */
export interface RepairOptions {
  /** At most so many; all unless given. */
  readonly limit?: number;
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

/** How to discard. */
export interface DiscardOptions extends RepairOptions {
  /** How long it can be undone, in milliseconds, at most 30 days; 24 hours unless given. 0: not at all. */
  readonly undoMs?: number;
  /** For whoever looks later. */
  readonly reason?: string;
}

/** Operations on dead letters. Every filter that has a condition which does not exist throws TIDINGS_INVALID_OPTION. */
export interface DeadLettersAdmin {
  list(filter?: DeadLetterFilter & Page): Promise<readonly DeadLetter[]>;
  count(filter?: DeadLetterFilter): Promise<number>;
  /** By fault, largest first, with the closed ones whose story is kept still. */
  groups(filter?: DeadLetterFilter): Promise<readonly DeadLetterGroup[]>;
  /** Throws TIDINGS_NOT_FOUND. */
  show(id: string): Promise<DeadLetterStory>;
  /**
   * Redrives an edited copy of the event in its place. It gets an id of its own, which is returned, and the original is
   * closed as resolved in the same commit. It is checked against the schema of its handler before anything is stored,
   * where an application knows it (see `checked`). Throws TIDINGS_DEAD_LETTER_STATE, TIDINGS_INVALID_INPUT,
   * TIDINGS_INVALID_PATCH, TIDINGS_INVALID_PAYLOAD, TIDINGS_EVENT_TOO_LARGE, TIDINGS_KEY_CHANGED, TIDINGS_NO_ANSWER.
   */
  edit(
    id: string,
    edit: Edit,
    options?: { readonly dryRun?: boolean; readonly signal?: AbortSignal },
  ): Promise<EditResult>;
  /**
   * Sends dead letters back to the subscription that failed at once, oldest first; those given up after the call began
   * are left out. Returns when the owners have begun, not when the handlers are through. For many, `redrives.start` goes
   * step by step and stops when they fail.
   */
  redrive(
    filter: DeadLetterFilter,
    options?: RepairOptions,
  ): Promise<{ redriven: number; refused: readonly Refusal[] }>;
  /** Closes dead letters without handling them; what waits behind them goes on. It can be undone for a time. */
  discard(
    filter: DeadLetterFilter,
    options?: DiscardOptions,
  ): Promise<{ discarded: number; refused: readonly Refusal[] }>;
  /**
   * Makes discarded events dead letters again, that wait in front of their keys where nothing of the key is under way,
   * else beside them. Refused after the time for that, and after a seek.
   */
  undoDiscard(
    filter: DeadLetterFilter,
    options?: RepairOptions,
  ): Promise<{ restored: number; refused: readonly Refusal[] }>;
}

/** The story of a closed dead letter is kept for so long. */
const keptMs = 30 * 24 * 60 * 60 * 1000;
/** So many are asked for at once: a member reads at most 1000 in one look. */
const batchMax = 200;

export function deadLettersAdmin(context: AdminContext): DeadLettersAdmin {
  return {
    async list(filter = {}) {
      checkFilter("deadLetters.list()", filter, ["after", "limit"]);
      return listDeadLetters(context, filter);
    },
    async count(filter = {}) {
      checkFilter("deadLetters.count()", filter);
      return countDeadLetters(context, filter);
    },
    async groups(filter = {}) {
      checkFilter("deadLetters.groups()", filter);
      return groupDeadLetters(context, filter);
    },
    show: (id) => showDeadLetter(context, id),
    edit: (id, edit, options = {}) => editOne(context, id, edit, options),
    async redrive(filter, options = {}) {
      checkFilter("deadLetters.redrive()", filter);
      const { done, refused } = await repairAll(context, { kind: "redrive" }, filter, options);
      return { redriven: done, refused };
    },
    async discard(filter, { undoMs, reason, ...options } = {}) {
      checkFilter("deadLetters.discard()", filter);
      if (undoMs !== undefined && !(Number.isSafeInteger(undoMs) && undoMs >= 0 && undoMs <= keptMs))
        throw new TidingsError("TIDINGS_INVALID_OPTION", "The option undoMs takes whole milliseconds up to 30 days.");
      const more = { ...(undoMs === undefined ? {} : { undoMs }), ...(reason === undefined ? {} : { note: reason }) };
      const { done, refused } = await repairAll(context, { kind: "discard", ...more }, filter, options);
      return { discarded: done, refused };
    },
    async undoDiscard(filter, options = {}) {
      checkFilter("deadLetters.undoDiscard()", filter);
      const { done, refused } = await repairAll(context, { kind: "undo-discard" }, filter, options);
      return { restored: done, refused };
    },
  };
}

type Repair = { readonly kind: "redrive" | "undo-discard" } | { readonly kind: "discard"; readonly undoMs?: number };

/** Goes through the dead letters that are there when it begins, in batches, oldest first. */
async function repairAll(
  context: AdminContext,
  repair: Repair,
  filter: DeadLetterFilter,
  options: RepairOptions,
): Promise<{ done: number; refused: readonly Refusal[] }> {
  const refused: Refusal[] = [];
  let done = 0;
  const letters = await chosen(context, repair, filter, options.limit);
  for (let from = 0; from < letters.length; from += batchMax) {
    options.signal?.throwIfAborted();
    const batch = letters.slice(from, from + batchMax);
    const topics = new Map(batch.map(({ subscription, topic }) => [subscription, topic]));
    const asks = batch.map(({ id, subscription, partition }): Ask => ({
      ...repair,
      subscription,
      partition,
      deadLetter: id,
    }));
    const answers = await askOwners(context, asks, (name) => topics.get(name) as string, options.signal);
    for (const [i, answer] of answers.entries()) {
      const { id, subscription } = batch[i] as Covered;
      if (answer.ok) done += 1;
      else refused.push({ id, subscription, code: answer.code, message: answer.message });
    }
    options.onProgress?.(done + refused.length);
  }
  const seen = new Set(letters.map(({ id }) => id));
  for (const id of filter.ids ?? []) if (!seen.has(id)) refused.push(await absent(context, id));
  return { done, refused };
}

/** What fails or is discarded while we are at it is not taken along; one that is named is asked for whatever its state. */
async function chosen(
  context: AdminContext,
  { kind }: Repair,
  filter: DeadLetterFilter,
  limit?: number,
): Promise<readonly Covered[]> {
  if (kind === "undo-discard") {
    const nowMs = context.platform.clock.now();
    return snapshot(context, { ...filter, state: "discarded" }, limit, (letter) =>
      filter.ids ? true : (letter.undoUntilMs ?? 0) >= nowMs,
    );
  }
  if (!filter.ids) return snapshot(context, { ...filter, state: "open" }, limit);
  return snapshot(context, filter, limit);
}

/** Why a dead letter that was asked for by its id is not among those that match. */
async function absent(context: AdminContext, id: string): Promise<Refusal> {
  const story = await showDeadLetter(context, id).catch(() => undefined);
  if (!story)
    return { id, subscription: "", code: "TIDINGS_NOT_FOUND", message: `There is no dead letter with the id ${id}.` };
  const { subscription, state } = story.letter;
  const message = `The dead letter ${id} is ${state}, or does not match the filter.`;
  return { id, subscription, code: "TIDINGS_DEAD_LETTER_STATE", message };
}
