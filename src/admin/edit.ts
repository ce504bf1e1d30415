import { TidingsError } from "../errors/tidings-error.ts";
import type { Contract } from "../event/contract.ts";
import { decode } from "../event/decode.ts";
import { checkShape, checkSize } from "../event/limits.ts";
import { contentTypeOf, isJson, type StoredRecord } from "../event/record.ts";
import { messageOf } from "../event/validate.ts";
import { type DeadLetter, type RecordDocument, recordFromDocument, recordToDocument } from "../delivery/records.ts";
import type { AdminContext } from "./context.ts";
import { mergePatch } from "./merge-patch.ts";

/** What to change of a dead letter's event: the whole payload, or a JSON Merge Patch on it. */
export type Edit = (
  { readonly data: unknown; readonly merge?: undefined } | { readonly merge: unknown; readonly data?: undefined }
) & {
  /** With it the new payload is validated as its handlers would. */
  readonly contract?: Contract;
};

/**
 * The edited copy of a dead letter's event: of a new identity, linked to what it was by `editedfrom`, in the same
 * correlation. Throws TIDINGS_INVALID_INPUT, TIDINGS_INVALID_PAYLOAD, TIDINGS_EVENT_TOO_LARGE and what `decode` throws.
 */
export function editedRecord(context: AdminContext, letter: DeadLetter, edit: Edit): RecordDocument {
  const { topic, partition, position } = letter;
  const before = recordFromDocument(letter.record, { topic, partition, position, appendedAtMs: letter.parkedAtMs });
  const subject = (): string => `the dead letter ${letter.id}`;
  const text = JSON.stringify("merge" in edit ? mergePatch(dataOf(letter, before), edit.merge) : edit.data);
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
  return recordToDocument(record);
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
      `its payload is not JSON (${messageOf(error)}), so nothing can be merged into it; give it whole`,
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
