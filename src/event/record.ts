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
  /** When the engine appended it, milliseconds since 1970 UTC by the engine's clock. */
  readonly appendedAtMs: number;
}

/** Size of a record for limits, in bytes of UTF-8: payload, key, type and attributes. */
export function recordBytes(record: EventRecord): number {
  let bytes = record.id.length + record.source.length + record.type.length + 24;
  if (record.key !== null) bytes += utf8Length(record.key);
  if (record.attributes) {
    for (const name in record.attributes) bytes += name.length + utf8Length(record.attributes[name] as string) + 6;
  }
  return bytes + dataBytes(record.data);
}

/** Size of a payload in bytes. */
export function dataBytes(data: EventRecord["data"]): number {
  if (data === undefined) return 0;
  return typeof data === "string" ? utf8Length(data) : data.byteLength;
}

/** Length of a string in UTF-8, without encoding it. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit >= 0xd800 && unit < 0xdc00 && i + 1 < text.length) {
      bytes += 2;
      i++;
    } else bytes += 2;
  }
  return bytes;
}
