import type { StoredRecord } from "../event/record.ts";
import { cloudEventJson, formatTime } from "../event/envelope.ts";
import type { DeadLetter } from "../delivery/records.ts";
import { recordFromDocument } from "../delivery/records.ts";
import { printable } from "./table.ts";

/** An event as `--json` says it: its place, and the event in CloudEvents JSON. */
export function eventJson(record: StoredRecord): Record<string, unknown> {
  const { topic, partition, position, appendedAtMs } = record;
  return { topic, partition, position, appendedAt: formatTime(appendedAtMs), event: cloudEventJson(record) };
}

/** An event on one line. */
export function eventLine(record: StoredRecord): string {
  const { topic, partition, position, type, key, id } = record;
  const place = `${topic}/${partition}:${position}`;
  return `${formatTime(record.appendedAtMs)}  ${place}  ${type}  ${key === null ? "-" : printable(key)}  ${id}  ${dataText(record)}\n`;
}

/** The payload of an event, as far as it can be printed. */
export function dataText({ data }: Pick<StoredRecord, "data">): string {
  if (data === undefined) return "(no data)";
  return typeof data === "string" ? printable(data) : `(${data.byteLength} bytes)`;
}

/** A dead letter as `--json` says it: the story, and the event in CloudEvents JSON. */
export function letterJson(letter: DeadLetter): Record<string, unknown> {
  const { record: _, ...story } = letter;
  return { ...story, event: cloudEventJson(recordOf(letter)) };
}

/** The event of a dead letter. */
export function recordOf({ record, topic, partition, position, parkedAtMs }: DeadLetter): StoredRecord {
  return recordFromDocument(record, { topic, partition, position, appendedAtMs: parkedAtMs });
}
