import { isTidingsError, TidingsError } from "../../errors/tidings-error.ts";
import { decode } from "../../event/decode.ts";
import { messageOf } from "../../event/validate.ts";
import type { State } from "../../ports/state.ts";
import type { DocumentWrite } from "../../ports/transaction.ts";
import { writeDeadLetter } from "../held/dead-letters.ts";
import type { HeldEntry } from "../held/held-entry.ts";
import type { PartitionParts } from "../partition/partition.ts";
import {
  type Answer,
  collections,
  type DeadLetter,
  type Intent,
  recordFromDocument,
  type Refused,
} from "../records.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import type { RedriveDocument } from "./documents.ts";
import { checkEditedKey } from "./edited-key.ts";

/** Sends one dead letter back, or an edited copy in its place. Throws what keeps it from that. */
export async function redriveOne(
  intent: Intent & { kind: "redrive" },
  parts: PartitionParts,
  runtime: SubscriptionRuntime,
): Promise<Answer> {
  const [letter] = await lettersOf([intent.deadLetter], runtime);
  const [taken] = await takeHeads([letter ?? absent(intent.deadLetter, runtime)], parts, runtime);
  if (taken instanceof TidingsError) throw taken;
  const { entry, letter: fresh } = taken as Taken;
  try {
    const checked = intent.edited !== undefined && checkEdit(fresh, intent, runtime);
    // An operation that has sent it, and was not answered yet, must still see that it has.
    const before = fresh.redrive && { redrive: { ...fresh.redrive, over: true } as const };
    const next: DeadLetter = { ...fresh, state: "redriving", redrives: fresh.redrives + 1, ...before };
    await parts.committer.through(run(entry, fresh, next, intent, parts, runtime));
    return { ok: true, ...(intent.edited ? { checked } : {}) };
  } catch (error) {
    letGo(entry);
    throw error;
  }
}

/** Sends the dead letters of one batch of an operation back, in their order. Asked twice it does nothing the second time. */
export async function redriveMany(
  intent: Intent & { kind: "redrive-many" },
  parts: PartitionParts,
  runtime: SubscriptionRuntime,
): Promise<Answer> {
  const { operation, letters } = intent;
  const state = runtime.engine.state as State;
  const refused: Refused[] = [];
  const refuse = (id: string, error: unknown): void =>
    void refused.push({
      id,
      code: isTidingsError(error) ? error.code : "TIDINGS_HANDLER_FAILED",
      message: messageOf(error),
    });
  const found = await lettersOf(
    letters.map(({ id }) => id),
    runtime,
  );
  const open = await openLetters(intent, found, runtime, refuse);
  const [document] = await state.get(collections.redrives, [operation]);
  const known = document && (JSON.parse(document.value) as RedriveDocument);
  if (known?.state !== "running") {
    const error = new TidingsError(
      "TIDINGS_REDRIVE_STATE",
      `The redrive ${operation} is ${known?.state ?? "over"}: nothing more is sent back.`,
    );
    // Those that an owner before has sent, who could not answer any more, are sent.
    for (const { id } of open) refuse(id, error);
    return { ok: true, refused };
  }
  const expected = new Map(letters.map(({ id, redrives }) => [id, redrives]));
  const taken = await takeHeads(open, parts, runtime);
  const runs: Promise<unknown>[] = [];
  for (const [i, head] of taken.entries()) {
    const { id } = open[i] as DeadLetter;
    if (head instanceof TidingsError) {
      refuse(id, head);
      continue;
    }
    const { entry, letter } = head;
    if (letter.redrive?.operation === operation || letter.redrives !== expected.get(id)) {
      letGo(entry);
      if (letter.redrive?.operation !== operation) refuse(id, changed(id));
      continue;
    }
    const redrives = letter.redrives + 1;
    const next: DeadLetter = { ...letter, state: "redriving", redrives, redrive: { operation } };
    runs.push(run(entry, letter, next, {}, parts, runtime).catch((error: unknown) => refuse(id, error)));
  }
  await parts.committer.through(Promise.all(runs));
  return { ok: true, refused };
}

/** Those of a batch that are dead letters still, and were not sent back by this operation before. */
async function openLetters(
  { operation, letters }: Intent & { kind: "redrive-many" },
  found: readonly (DeadLetter | undefined)[],
  runtime: SubscriptionRuntime,
  refuse: (id: string, error: unknown) => void,
): Promise<readonly DeadLetter[]> {
  const gone = letters.filter((_, i) => !found[i]).map(({ id }) => id);
  const closed = await lettersOf(gone, runtime, collections.closedDeadLetters(runtime.name));
  for (const [i, id] of gone.entries()) {
    const letter = closed[i];
    if (letter?.redrive?.operation === operation) continue;
    refuse(
      id,
      new TidingsError(
        "TIDINGS_DEAD_LETTER_STATE",
        `The dead letter ${id} is ${letter?.state ?? "gone"} since the operation began.`,
      ),
    );
  }
  return found.filter((letter) => letter !== undefined && letter.redrive?.operation !== operation) as DeadLetter[];
}

interface Taken {
  readonly entry: HeldEntry;
  /** As it is while nobody else can work on it. */
  readonly letter: DeadLetter;
}

/**
 * Takes dead letters that nobody works on, by marking their keys as busy, and reads them once more: what was read before
 * may have been sent back, and have failed, meanwhile.
 */
async function takeHeads(
  letters: readonly DeadLetter[],
  parts: PartitionParts,
  runtime: SubscriptionRuntime,
): Promise<readonly (Taken | TidingsError)[]> {
  const taken = letters.map((letter) => {
    const entry = headOf(letter, parts, runtime);
    if (!(entry instanceof TidingsError)) entry.busy = true;
    return entry;
  });
  try {
    const fresh = await lettersOf(
      letters.map(({ id }) => id),
      runtime,
    );
    return taken.map((entry, i) => {
      if (entry instanceof TidingsError) return entry;
      const letter = fresh[i];
      if (letter) return { entry, letter };
      letGo(entry);
      return missing((letters[i] as DeadLetter).id, runtime);
    });
  } catch (error) {
    for (const entry of taken) if (!(entry instanceof TidingsError)) letGo(entry);
    throw error;
  }
}

/** A dead letter waits for people: nothing is armed for it. */
function letGo(entry: HeldEntry): void {
  if (entry.reason === "dead") entry.busy = false;
}

/** The entry of a dead letter that nobody works on, or why there is none. */
export function headOf(
  { id, heldId, record }: DeadLetter,
  parts: PartitionParts,
  runtime: SubscriptionRuntime,
): HeldEntry | TidingsError {
  const entry = parts.held.find(heldId);
  const details = { deadLetter: id };
  if (!entry || entry.deadLetter !== id)
    return new TidingsError("TIDINGS_NOT_FOUND", `The dead letter ${id} is not at the head of its key.`, { details });
  if (entry.reason !== "dead" || entry.busy)
    return new TidingsError("TIDINGS_DEAD_LETTER_STATE", `The dead letter ${id} is being redriven already.`, {
      details,
    });
  // Without any handler at all this is not the application but an operator's tool, which runs nothing.
  if (runtime.routes.size > 0 && !runtime.routes.has(record.type))
    return new TidingsError(
      "TIDINGS_UNMATCHED",
      `"${runtime.name}" has no handler for "${record.type}" any more: deploy one, or discard the dead letter ${id}.`,
      { details },
    );
  return entry;
}

/** Whether an edited copy could be checked against the schema of its handler. Throws what does not fit. */
function checkEdit(
  letter: DeadLetter,
  { edited, keepKey = false }: Intent & { kind: "redrive" },
  runtime: SubscriptionRuntime,
): boolean {
  const route = edited && runtime.routes.get(edited.type);
  if (!edited || !route) return false;
  if (!keepKey) checkEditedKey(letter, edited, route.contract);
  decode(placed(letter, edited, runtime), route.contract as never, runtime.limits);
  return true;
}

const placed = (
  { topic, partition, position }: DeadLetter,
  edited: DeadLetter["record"],
  runtime: SubscriptionRuntime,
): ReturnType<typeof recordFromDocument> =>
  recordFromDocument(edited, { topic, partition, position, appendedAtMs: runtime.platform.clock.now() });

/** One commit: the dead letter is under way, and an original that was edited is resolved with its exact bytes. */
function run(
  entry: HeldEntry,
  letter: DeadLetter,
  next: DeadLetter,
  { edited, by }: { readonly edited?: DeadLetter["record"]; readonly by?: string },
  parts: PartitionParts,
  runtime: SubscriptionRuntime,
): Promise<void> {
  if (!edited) return parts.held.runNow(entry, {}, [writeDeadLetter(next)]);
  const changedTo: DeadLetter = { ...next, record: edited, editedFrom: letter.editedFrom ?? letter.record.id };
  const writes = [writeDeadLetter(changedTo), resolveOriginal(letter, edited.id, by ?? "", runtime)];
  return parts.held.runNow(entry, { record: placed(letter, edited, runtime) }, writes);
}

/** The story of an event that was edited, closed under an id of its own: the dead letter goes on with the copy. */
function resolveOriginal(letter: DeadLetter, copy: string, by: string, runtime: SubscriptionRuntime): DocumentWrite {
  const id = runtime.platform.ids.next();
  const note = `edited: the dead letter ${letter.id} went on with the event ${copy}`;
  const closedAtMs = runtime.platform.clock.now();
  const original: DeadLetter = { ...letter, id, state: "resolved", closedAtMs, closedBy: by, editedTo: copy, note };
  return { collection: collections.closedDeadLetters(runtime.name), key: id, value: JSON.stringify(original) };
}

async function lettersOf(
  ids: readonly string[],
  { engine, name }: SubscriptionRuntime,
  collection = collections.deadLetters(name),
): Promise<readonly (DeadLetter | undefined)[]> {
  if (ids.length === 0) return [];
  const documents = await (engine.state as State).get(collection, ids);
  return documents.map((document) => document && (JSON.parse(document.value) as DeadLetter));
}

function absent(id: string, runtime: SubscriptionRuntime): never {
  throw missing(id, runtime);
}

function missing(id: string, { name }: SubscriptionRuntime): TidingsError {
  return new TidingsError("TIDINGS_NOT_FOUND", `The subscription "${name}" has no open dead letter ${id}.`, {
    details: { deadLetter: id },
  });
}

function changed(id: string): TidingsError {
  return new TidingsError(
    "TIDINGS_DEAD_LETTER_STATE",
    `The dead letter ${id} was redriven by somebody else since the operation began.`,
    { details: { deadLetter: id } },
  );
}
