import { crc32 } from "node:zlib";
import type { EventRecord } from "../../event/record.ts";

/** How a payload stood in its record: what CloudEvents do not tell apart. */
export const payloadKind = { text: "s", bytes: "b", none: "n" } as const;

/** Whether a record has named its content type itself, or left out JSON: a message says it in either case, so that others know it. */
export const contentKind = { named: "c", implied: "i" } as const;

/** The kind of a payload. */
export function kindOf(data: EventRecord["data"]): string {
  return data === undefined ? payloadKind.none : typeof data === "string" ? payloadKind.text : payloadKind.bytes;
}

/** CRC-32 over everything that an event says, whatever the order of its attributes, as 8 hexadecimal digits. */
export function checksumOf(record: EventRecord, kind: string, payload: Uint8Array | string): string {
  const { id, source, type, timeMs, key, attributes } = record;
  let text = `${kind}\n${id}\n${source}\n${type}\n${timeMs}\n${key === null ? "" : `=${key}`}\n`;
  if (attributes) for (const name of Object.keys(attributes).sort()) text += `${name}=${attributes[name] as string}\n`;
  return crc32(payload, crc32(text)).toString(16).padStart(8, "0");
}

/** Attributes of CloudEvents by their names, as a message carries them. */
export type Carried = ReadonlyMap<string, string>;

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The record of a message that we have written, from the attributes of its event and its payload; undefined when it does not match its
 * checksum. `contentType` is given where `datacontenttype` stands apart from the others.
 */
export function openOurs(
  ce: Carried,
  payload: Uint8Array,
  { kind, checksum, contentType }: { readonly kind: string; readonly checksum: string; readonly contentType?: string | undefined }, // prettier-ignore
): EventRecord | undefined {
  let data: EventRecord["data"];
  if (kind === payloadKind.text) data = utf8.decode(payload);
  else if (kind === payloadKind.bytes) data = new Uint8Array(payload);
  const record: EventRecord = {
    id: ce.get("id") ?? "",
    source: ce.get("source") ?? "",
    type: ce.get("type") ?? "",
    timeMs: Date.parse(ce.get("time") ?? ""),
    key: ce.get("partitionkey") ?? null,
    attributes: attributesOf(ce, contentType),
    data,
  };
  return checksum === checksumOf(record, kind, payload) ? record : undefined;
}

const own = new Set(["specversion", "id", "source", "type", "time", "partitionkey"]);

/** What an event says beside what has a place of its own in a record; undefined when that is nothing. */
export function attributesOf(ce: Carried, contentType?: string): EventRecord["attributes"] {
  let attributes: Record<string, string> | undefined;
  if (contentType !== undefined) attributes = { datacontenttype: contentType };
  for (const [name, value] of ce) {
    if (own.has(name)) continue;
    attributes ??= {};
    attributes[name] = value;
  }
  return attributes;
}
