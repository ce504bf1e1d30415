import { TidingsError } from "../../errors/tidings-error.ts";
import type { Contract } from "../../event/contract.ts";
import type { DeadLetter, RecordDocument } from "../records.ts";

/**
 * Refuses an edited copy whose payload makes another key than that of its event: it is handled in the place of the event, where
 * the old key is held, beside whatever the new key has. A key that was never made from the payload, but given by
 * the publisher, says nothing. Throws TIDINGS_KEY_CHANGED.
 */
export function checkEditedKey(letter: DeadLetter, edited: RecordDocument, contract: Contract): void {
  const keyFunction = contract.topic.key as ((data: unknown) => unknown) | undefined;
  if (keyFunction === undefined) return;
  const keyOf = (document: RecordDocument): unknown => {
    try {
      return keyFunction(payloadOf(document));
    } catch {
      return undefined;
    }
  };
  const before = keyOf(letter.record);
  const after = keyOf(edited);
  // A payload that could not be read may have made any key.
  if (after !== letter.key && (before === letter.key || before === undefined)) throw keyChanged(letter, after);
}

/**
 * The same where nobody knows how keys are made: whatever in the payload was the key by its looks must be so still. Throws
 * TIDINGS_KEY_CHANGED.
 */
export function checkEditedKeyByLooks(letter: DeadLetter, edited: RecordDocument): void {
  const { key, record } = letter;
  if (key === null) return;
  let payload: unknown;
  try {
    payload = payloadOf(record);
  } catch {
    return;
  }
  const places = placesOf(payload, key);
  if (places.length === 0) return;
  const after = places.map((place) => at(payloadOf(edited), place));
  if (!after.some((value) => isKey(value, key))) throw keyChanged(letter, after[0]);
}

function payloadOf({ data, dataBase64 }: RecordDocument): unknown {
  return JSON.parse(dataBase64 === undefined ? (data ?? "null") : Buffer.from(dataBase64, "base64").toString("utf8"));
}

type Path = readonly string[];

const isKey = (value: unknown, key: string): boolean =>
  (typeof value === "string" || typeof value === "number") && String(value) === key;

/** Where in a payload the key stands. */
function placesOf(value: unknown, key: string, path: Path = []): readonly Path[] {
  if (isKey(value, key)) return [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, each]) => placesOf(each, key, [...path, name]));
}

function at(payload: unknown, path: Path): unknown {
  let value = payload;
  for (const name of path)
    value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  return value;
}

function keyChanged({ id, key }: DeadLetter, after: unknown): TidingsError {
  const now =
    typeof after === "string" || typeof after === "number" ? `the key ${JSON.stringify(String(after))}` : "no key";
  return new TidingsError(
    "TIDINGS_KEY_CHANGED",
    `The new payload of the dead letter ${id} has ${now}, and its event has ${key === null ? "none" : JSON.stringify(key)}: the copy would be handled out of the order of its new key. Discard it and publish a new event, or say keepKey: true (--keep-key) to handle it where the event was.`,
    { details: { deadLetter: id, key } },
  );
}
