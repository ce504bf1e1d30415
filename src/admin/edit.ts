import { TidingsError } from "../errors/tidings-error.ts";
import { checkContract, type Contract } from "../event/contract.ts";
import { decode } from "../event/decode.ts";
import { checkShape, checkSize } from "../event/limits.ts";
import { contentTypeOf, isJson, type StoredRecord } from "../event/record.ts";
import { messageOf } from "../event/validate.ts";
import {
  type Answer,
  type DeadLetter,
  type RecordDocument,
  recordFromDocument,
  recordToDocument,
} from "../delivery/records.ts";
import { checkEditedKey, checkEditedKeyByLooks } from "../delivery/redrive/edited-key.ts";
import type { AdminContext } from "./context.ts";
import { showDeadLetter } from "./dead-letters.ts";
import { type Ask, askOwners, throwRefusal } from "./intents.ts";
import { applyPatch, type JsonPatchOperation } from "./json-patch.ts";
import { mergePatch } from "./merge-patch.ts";

/** What to change of a dead letter's event: the whole payload, a JSON Patch (RFC 6902) or a JSON Merge Patch (RFC 7396) on it. */
export type Edit = (
  | { readonly data: unknown; readonly patch?: undefined; readonly merge?: undefined }
  | { readonly patch: readonly JsonPatchOperation[]; readonly data?: undefined; readonly merge?: undefined }
  | { readonly merge: unknown; readonly data?: undefined; readonly patch?: undefined }
) & {
  /** With it the new payload is checked as its handlers would. */
  readonly contract?: Contract;
  /**
   * Handle the copy with the key of its event, also where its payload makes another one. Otherwise that is refused: its new
   * key has an order of its own, which the copy would not keep.
   */
  readonly keepKey?: boolean;
};

/** What became of an edit. */
export interface EditResult {
  readonly deadLetter: string;
  /** Id of the edited copy. */
  readonly id: string;
  readonly editedFrom: string;
  /** The key with which it is handled: that of the event. */
  readonly key: string | null;
  /** Its payload as JSON text. */
  readonly data: string;
  /**
   * Whether it was checked against the schema of its handler before it was stored. False when no application that knows
   * it was there to ask: then the handler checks it, and what does not fit is a dead letter again.
   */
  readonly checked: boolean;
}

/** Redrives an edited copy in the place of a dead letter. */
export async function editOne(
  context: AdminContext,
  id: string,
  edit: Edit,
  options: { readonly dryRun?: boolean; readonly signal?: AbortSignal },
): Promise<EditResult> {
  if (edit.contract !== undefined) checkContract("admin.deadLetters.edit()", edit.contract);
  const { letter } = await showDeadLetter(context, id);
  if (letter.state !== "open") {
    const problem = `is ${letter.state}, so it cannot be edited`;
    throw new TidingsError("TIDINGS_DEAD_LETTER_STATE", `The dead letter ${id} ${problem}.`, {
      details: { deadLetter: id, state: letter.state },
    });
  }
  const contract = edit.contract ?? context.contractOf?.(letter.service, letter.record.type);
  const edited = editedRecord(context, letter, contract ? { ...edit, contract } : edit);
  const result: EditResult = {
    deadLetter: id,
    id: edited.id,
    editedFrom: letter.editedFrom ?? letter.record.id,
    key: letter.key,
    data: edited.data ?? "",
    checked: contract !== undefined,
  };
  if (options.dryRun) return result;
  const { subscription, partition, topic } = letter;
  const keepKey = edit.keepKey === true ? { keepKey: true } : {};
  const ask: Ask = { kind: "redrive", subscription, partition, deadLetter: id, edited, ...keepKey };
  const [answer] = await askOwners(context, [ask], () => topic, options.signal);
  throwRefusal(answer as Answer);
  return { ...result, checked: result.checked || (answer?.ok === true && answer.checked === true) };
}

/**
 * The edited copy of a dead letter's event: of a new identity, linked to what it was by `editedfrom`, in the same
 * correlation. Throws TIDINGS_INVALID_INPUT, TIDINGS_INVALID_PATCH,
 * TIDINGS_INVALID_PAYLOAD, TIDINGS_EVENT_TOO_LARGE, TIDINGS_KEY_CHANGED and what `decode` throws.
 */
export function editedRecord(context: AdminContext, letter: DeadLetter, edit: Edit): RecordDocument {
  const { topic, partition, position } = letter;
  const before = recordFromDocument(letter.record, { topic, partition, position, appendedAtMs: letter.parkedAtMs });
  const subject = (): string => `the dead letter ${letter.id}`;
  const text = JSON.stringify(changed(letter, before, edit));
  if (text === undefined) throw invalid(letter, "the new payload cannot be written as JSON");
  checkShape(text, context.limits, subject);
  const record: StoredRecord = {
    ...before,
    id: context.platform.ids.next(),
    attributes: {
      ...withoutForeignType(before),
      correlationid: before.attributes?.["correlationid"] ?? before.id,
      editedfrom: letter.editedFrom ?? before.id,
    },
    data: text,
  };
  checkSize(record, context.limits, subject);
  if (edit.contract) decode(record, edit.contract, context.limits);
  const edited = recordToDocument(record);
  if (edit.keepKey === true) return edited;
  if (edit.contract) checkEditedKey(letter, edited, edit.contract);
  else checkEditedKeyByLooks(letter, edited);
  return edited;
}

/** The payload as it shall be. */
function changed(letter: DeadLetter, before: StoredRecord, edit: Edit): unknown {
  if (edit.patch !== undefined) return applyPatch(dataOf(letter, before), edit.patch);
  return edit.merge === undefined ? edit.data : mergePatch(dataOf(letter, before), edit.merge);
}

/** The payload of an event that should be JSON and perhaps is not. */
function dataOf(letter: DeadLetter, { data }: StoredRecord): unknown {
  if (data === undefined) return undefined;
  try {
    return JSON.parse(
      typeof data === "string" ? data : new TextDecoder("utf-8", { fatal: true }).decode(data),
    ) as unknown;
  } catch (error) {
    throw invalid(
      letter,
      `its payload is not JSON (${messageOf(error)}), so nothing of it can be changed; give it whole`,
    );
  }
}

/** What is edited becomes JSON, whatever it was. */
function withoutForeignType(record: StoredRecord): Readonly<Record<string, string>> {
  const { datacontenttype, ...others } = record.attributes ?? {};
  return datacontenttype === undefined || !isJson(contentTypeOf(record)) ? others : { datacontenttype, ...others };
}

function invalid(letter: DeadLetter, problem: string): TidingsError {
  return new TidingsError("TIDINGS_INVALID_INPUT", `The dead letter ${letter.id} cannot be edited: ${problem}.`, {
    details: { deadLetter: letter.id },
  });
}
