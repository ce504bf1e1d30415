import { utf8Length } from "./utf8.ts";

/**
 * An event as an engine carries it: CloudEvents attributes beside the exact bytes of the payload.
 * Engines treat all of it as opaque apart from `id` (deduplication) and sizes.
 */
export interface EventRecord {
  /** CloudEvents `id`; with `source` the event's identity everywhere. */
  readonly id: string;
  readonly source: string;
  readonly type: string;
  /** CloudEvents `time`, milliseconds since 1970 UTC: when the fact happened. */
  readonly timeMs: number;
  /** The ordering key (`partitionkey`); null for events without one. */
  readonly key: string | null;
  /** Every other CloudEvents attribute, as text; undefined when there is none. */
  readonly attributes: Readonly<Record<string, string>> | undefined;
  /** The payload: text (JSON, unless `datacontenttype` says otherwise), bytes, or nothing at all. */
  readonly data: string | Uint8Array | undefined;
}

/** An event record with its place in a topic. */
export interface StoredRecord extends EventRecord {
  readonly topic: string;
  readonly partition: number;
  /** Place in the partition; rises, may have gaps. The first event of a partition is at 0. */
  readonly position: number;
  /** When the engine appended it, milliseconds since 1970 UTC by the engine's clock (see `appendTimes` of the capabilities). */
  readonly appendedAtMs: number;
}

/** Size of a record for limits, in bytes of UTF-8: payload, key, type and attributes. */
export function recordBytes(record: EventRecord): number {
  let bytes = utf8Length(record.id) + utf8Length(record.source) + utf8Length(record.type) + 24;
  if (record.key !== null) bytes += utf8Length(record.key);
  if (record.attributes) {
    for (const name in record.attributes) bytes += name.length + utf8Length(record.attributes[name] as string) + 6;
  }
  return bytes + dataBytes(record.data);
}

/** The payload's media type, `application/json` unless the record says otherwise. */
export function contentTypeOf(record: EventRecord): string {
  return record.attributes?.["datacontenttype"] ?? "application/json";
}

/** Whether a media type is JSON: `application/json`, `text/json; charset=utf-8`, `application/geo+json` and the like. */
export function isJson(contentType: string): boolean {
  return contentType === "application/json" || /^[^;]*[/+]json\s*(;|$)/i.test(contentType);
}

/** Size of a payload in bytes. */
export function dataBytes(data: EventRecord["data"]): number {
  if (data === undefined) return 0;
  return typeof data === "string" ? utf8Length(data) : data.byteLength;
}
