import { recordFromCloudEvent } from "../../event/from-cloud-event.ts";
import { type EventRecord, isJson, type StoredRecord } from "../../event/record.ts";
import { foreignType } from "../broker/foreign.ts";

/** Where a foreign entry stands. */
export interface ForeignPlace {
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  readonly address: string;
  /** When the events about it were appended; undefined when no one knows. */
  readonly instant: number | undefined;
}

/** Sizes and shapes are for whoever handles the event to judge; here nothing may stop the partition. */
const limits = { eventBytesMax: Number.MAX_SAFE_INTEGER, depthMax: 1000 };
const structured = /^application\/cloudevents\+json/i;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The event of an entry that another program has written: a CloudEvent in binary mode (fields `ce_id`, `ce_type`, …, `data`) or
 * in structured mode (one field with the event as JSON), and anything else as an event of the type `tidings.foreign`. Never throws.
 */
export function foreignRecord(fields: readonly Buffer[], place: ForeignPlace): StoredRecord {
  const named = namesOf(fields);
  const appendedAtMs = place.instant ?? 0;
  const found = binary(named, appendedAtMs) ?? inStructure(named, appendedAtMs) ?? unknown(named, place);
  const { topic, partition, position } = place;
  return { ...found, topic, partition, position, appendedAtMs: place.instant ?? found.timeMs };
}

function namesOf(fields: readonly Buffer[]): ReadonlyMap<string, Buffer> {
  const named = new Map<string, Buffer>();
  for (let at = 0; at + 1 < fields.length; at += 2)
    named.set((fields[at] as Buffer).toString("utf8"), fields[at + 1] as Buffer);
  return named;
}

/** `ce_` is what Kafka's binding calls them; `ce-` that of HTTP, and of many writers. */
function binary(named: ReadonlyMap<string, Buffer>, timeMs: number): EventRecord | undefined {
  const members: Record<string, string> = {};
  for (const [name, value] of named) {
    const attribute = /^ce[_-](.+)$/i.exec(name)?.[1]?.toLowerCase();
    if (attribute !== undefined) members[attribute] = value.toString("utf8");
  }
  if (members["id"] === undefined) return undefined;
  const contentType = contentTypeIn(named);
  if (contentType !== undefined) members["datacontenttype"] = contentType;
  const record = tried(() => recordFromCloudEvent(members, { timeMs, limits }));
  const data = named.get("data");
  if (!record || data === undefined) return record;
  return { ...record, data: payloadOf(data, contentType ?? "application/json") };
}

function inStructure(named: ReadonlyMap<string, Buffer>, timeMs: number): EventRecord | undefined {
  const single = named.size === 1 ? [...named.values()][0] : structured.test(contentTypeIn(named) ?? "") ? named.get("data") : undefined; // prettier-ignore
  if (!single) return undefined;
  return tried(() => recordFromCloudEvent(JSON.parse(single.toString("utf8")), { timeMs, limits }));
}

/** One value is the payload; several are an object of texts. */
function unknown(named: ReadonlyMap<string, Buffer>, place: ForeignPlace): EventRecord {
  const { topic, partition, position, address, instant = 0 } = place;
  const single = named.size === 1 ? [...named.values()][0] : undefined;
  const data = single ?? Buffer.from(JSON.stringify(Object.fromEntries([...named].map(([name, value]) => [name, value.toString("utf8")])))); // prettier-ignore
  const payload = payloadOf(data, "application/json");
  const contentType = typeof payload !== "string" ? "application/octet-stream" : isJsonText(payload) ? undefined : "text/plain"; // prettier-ignore
  return {
    id: `${partition}-${position}`,
    source: `${address.replace(/\?.*/, "")}/${topic}`,
    type: foreignType,
    timeMs: instant,
    key: null,
    attributes: contentType === undefined ? undefined : { datacontenttype: contentType },
    data: payload,
  };
}

function contentTypeIn(named: ReadonlyMap<string, Buffer>): string | undefined {
  for (const name of ["content-type", "content_type", "datacontenttype"]) {
    const found = named.get(name);
    if (found) return found.toString("utf8");
  }
  return undefined;
}

/** Text where it is text by its content type and by its bytes. */
function payloadOf(data: Buffer, contentType: string): string | Uint8Array {
  const text = isJson(contentType) || /^text\//i.test(contentType) ? tried(() => utf8.decode(data)) : undefined;
  return text ?? new Uint8Array(data);
}

function isJsonText(text: string): boolean {
  return tried(() => [JSON.parse(text)]) !== undefined;
}

function tried<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
