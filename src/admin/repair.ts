import { TidingsError } from "../errors/tidings-error.ts";
import type { Answer, DeadLetter } from "../delivery/records.ts";
import { eachInBatches } from "./batches.ts";
import type { AdminContext } from "./context.ts";
import {
  countDeadLetters,
  type DeadLetterFilter,
  type DeadLetterGroup,
  type DeadLetterStory,
  groupDeadLetters,
  listDeadLetters,
  type Page,
  showDeadLetter,
} from "./dead-letters.ts";
import { type Edit, editedRecord } from "./edit.ts";
import { type Ask, askOwners, throwRefusal } from "./intents.ts";

/** A dead letter that could not be repaired, and why. */
export interface Refusal {
  readonly id: string;
  readonly subscription: string;
  readonly code: string;
  readonly message: string;
}

/** How to go through many dead letters. */
export interface RepairOptions {
  /** At most so many; all unless given. */
  readonly limit?: number;
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

/** Operations on dead letters. */
export interface DeadLettersAdmin {
  list(filter?: DeadLetterFilter & Page): Promise<readonly DeadLetter[]>;
  count(filter?: DeadLetterFilter): Promise<number>;
  groups(filter?: DeadLetterFilter): Promise<readonly DeadLetterGroup[]>;
  /** Throws TIDINGS_NOT_FOUND. */
  show(id: string): Promise<DeadLetterStory>;
  /**
   * Redrives an edited copy of the event in its place. It gets an id of its own, which is returned. Throws
   * TIDINGS_DEAD_LETTER_STATE, TIDINGS_INVALID_INPUT, TIDINGS_NO_ANSWER.
   */
  edit(
    id: string,
    edit: Edit,
    options?: { readonly dryRun?: boolean; readonly signal?: AbortSignal },
  ): Promise<EditResult>;
  /**
   * Sends dead letters back to the subscription that failed, oldest first; those given up after the call began are left
   * out. Returns when the owners have begun, not when the handlers are through.
   */
  redrive(
    filter: DeadLetterFilter,
    options?: RepairOptions,
  ): Promise<{ redriven: number; refused: readonly Refusal[] }>;
  /** Closes dead letters without handling them; what waits behind them goes on. */
  discard(
    filter: DeadLetterFilter,
    options?: RepairOptions,
  ): Promise<{ discarded: number; refused: readonly Refusal[] }>;
}

/** What became of an edit. */
export interface EditResult {
  readonly deadLetter: string;
  /** Id of the edited copy. */
  readonly id: string;
  readonly editedFrom: string;
  /** Its payload as JSON text. */
  readonly data: string;
}

export function deadLettersAdmin(context: AdminContext): DeadLettersAdmin {
  return {
    list: (filter = {}) => listDeadLetters(context, filter),
    count: (filter = {}) => countDeadLetters(context, filter),
    groups: (filter = {}) => groupDeadLetters(context, filter),
    show: (id) => showDeadLetter(context, id),
    edit: (id, edit, options = {}) => editOne(context, id, edit, options),
    async redrive(filter, options = {}) {
      const { done, refused } = await repairAll(context, "redrive", filter, options);
      return { redriven: done, refused };
    },
    async discard(filter, options = {}) {
      const { done, refused } = await repairAll(context, "discard", filter, options);
      return { discarded: done, refused };
    },
  };
}

async function editOne(
  context: AdminContext,
  id: string,
  edit: Edit,
  options: { readonly dryRun?: boolean; readonly signal?: AbortSignal },
): Promise<EditResult> {
  const { letter } = await showDeadLetter(context, id);
  if (letter.state !== "open") {
    throw new TidingsError(
      "TIDINGS_DEAD_LETTER_STATE",
      `The dead letter ${id} is ${letter.state}, so it cannot be edited.`,
      {
        details: { deadLetter: id, state: letter.state },
      },
    );
  }
  const edited = editedRecord(context, letter, edit);
  const result = {
    deadLetter: id,
    id: edited.id,
    editedFrom: letter.editedFrom ?? letter.record.id,
    data: edited.data ?? "",
  };
  if (options.dryRun) return result;
  const ask: Ask = {
    kind: "redrive",
    subscription: letter.subscription,
    partition: letter.partition,
    deadLetter: id,
    edited,
  };
  const [answer] = await askOwners(context, [ask], () => letter.topic, options.signal);
  throwRefusal(answer as Answer);
  return result;
}

/** Walks through the dead letters that are open now, in batches, oldest first. */
async function repairAll(
  context: AdminContext,
  kind: "redrive" | "discard",
  filter: DeadLetterFilter,
  options: RepairOptions,
): Promise<{ done: number; refused: readonly Refusal[] }> {
  const refused: Refusal[] = [];
  const seen = new Set<string>();
  let done = 0;
  // What fails while we are at it is not taken along; one that is named is asked for whatever its state.
  const beforeMs = Math.min(filter.beforeMs ?? Number.POSITIVE_INFINITY, context.platform.clock.now() + 1);
  const wanted: DeadLetterFilter = filter.ids ? filter : { ...filter, state: "open", beforeMs };
  await eachInBatches(context, wanted, options, async (letters) => {
    const topics = new Map(letters.map(({ subscription, topic }) => [subscription, topic]));
    const asks = letters.map(({ id, subscription, partition }): Ask => ({
      kind,
      subscription,
      partition,
      deadLetter: id,
    }));
    const answers = await askOwners(context, asks, (name) => topics.get(name) as string, options.signal);
    for (const [i, answer] of answers.entries()) {
      const { id, subscription } = letters[i] as DeadLetter;
      seen.add(id);
      if (answer.ok) done += 1;
      else refused.push({ id, subscription, code: answer.code, message: answer.message });
    }
    options.onProgress?.(done + refused.length);
  });
  for (const id of filter.ids ?? []) if (!seen.has(id)) refused.push(await absent(context, id));
  return { done, refused };
}

/** Why a dead letter that was asked for by its id is not among the open ones. */
async function absent(context: AdminContext, id: string): Promise<Refusal> {
  const story = await showDeadLetter(context, id).catch(() => undefined);
  if (!story)
    return { id, subscription: "", code: "TIDINGS_NOT_FOUND", message: `There is no dead letter with the id ${id}.` };
  const { subscription, state } = story.letter;
  const message = `The dead letter ${id} is ${state}, or does not match the filter.`;
  return { id, subscription, code: "TIDINGS_DEAD_LETTER_STATE", message };
}
