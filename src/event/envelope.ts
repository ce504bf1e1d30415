import { formatTime } from "./instant.ts";
import { relayAttributes } from "./names.ts";
import { contentTypeOf, type EventRecord, isJson } from "./record.ts";

export { formatTime } from "./instant.ts";

/** What every event carries beside its data: the attributes of CloudEvents 1.0 and its official extensions. */
export interface EventAttributes<Type extends string = string> {
  readonly specversion: "1.0";
  /** Unique together with `source`. A UUIDv7 unless the publisher chose it. */
  readonly id: string;
  /** Who published: `/<application>` or `/<application>/<service>`. */
  readonly source: string;
  readonly type: Type;
  /** When the fact happened, RFC 3339 in UTC with milliseconds. */
  readonly time: string;
  /** The same instant, in milliseconds since 1970. */
  readonly timeMs: number;
  readonly subject: string | undefined;
  readonly datacontenttype: string;
  /** Version of the contract the stored data was written with; 1 when nothing is said. */
  readonly dataversion: number;
  /** The ordering key; undefined for events without one. */
  readonly partitionkey: string | undefined;
  /** Shared by everything that one outside event set going; that event's own id at the root. */
  readonly correlationid: string;
  /** Id of the event of which the handler published this one; undefined at the root. */
  readonly causationid: string | undefined;
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  /** After this instant the event is no longer delivered, but counted as expired. */
  readonly expirytime: string | undefined;
  readonly tenantid: string | undefined;
  /** Extension attributes of the user's own. */
  readonly extensions: Readonly<Record<string, string>>;
}

/** An event as handlers see it. `JSON.stringify` gives CloudEvents in structured JSON. */
export interface Event<Type extends string = string, Data = unknown> extends EventAttributes<Type> {
  readonly data: Data;
}

const noAttributes: Readonly<Record<string, string>> = Object.freeze({});

/** Attributes of a record that have a property of their own in `Event`, or are none of the user's. */
const known = new Set([
  "subject", "datacontenttype", "dataversion", "correlationid", "causationid", "traceparent", "tracestate", "expirytime", "tenantid",
  ...relayAttributes,
]); // prettier-ignore

/**
 * An event over its record. The attributes are read from the record when asked, because most
 * handlers look at two or three of them and millions of events pass.
 */
class RecordEvent<Type extends string, Data> implements Event<Type, Data> {
  readonly data: Data;
  readonly #record: EventRecord;

  constructor(record: EventRecord, data: Data) {
    this.#record = record;
    this.data = data;
  }

  get specversion(): "1.0" {
    return "1.0";
  }
  get id(): string {
    return this.#record.id;
  }
  get source(): string {
    return this.#record.source;
  }
  get type(): Type {
    return this.#record.type as Type;
  }
  get timeMs(): number {
    return this.#record.timeMs;
  }
  get time(): string {
    return formatTime(this.#record.timeMs);
  }
  get partitionkey(): string | undefined {
    return this.#record.key ?? undefined;
  }
  get subject(): string | undefined {
    return this.#record.attributes?.["subject"];
  }
  get datacontenttype(): string {
    return contentTypeOf(this.#record);
  }
  get dataversion(): number {
    return Number(this.#record.attributes?.["dataversion"] ?? 1);
  }
  get correlationid(): string {
    return this.#record.attributes?.["correlationid"] ?? this.#record.id;
  }
  get causationid(): string | undefined {
    return this.#record.attributes?.["causationid"];
  }
  get traceparent(): string | undefined {
    return this.#record.attributes?.["traceparent"];
  }
  get tracestate(): string | undefined {
    return this.#record.attributes?.["tracestate"];
  }
  get expirytime(): string | undefined {
    return this.#record.attributes?.["expirytime"];
  }
  get tenantid(): string | undefined {
    return this.#record.attributes?.["tenantid"];
  }
  get extensions(): Readonly<Record<string, string>> {
    const attributes = this.#record.attributes;
    if (!attributes) return noAttributes;
    return Object.fromEntries(Object.entries(attributes).filter(([name]) => !known.has(name)));
  }
  toJSON(): Record<string, unknown> {
    return cloudEventJson(this.#record, { data: this.data });
  }
  /** For console.log, which does not look at getters. */
  [Symbol.for("nodejs.util.inspect.custom")](): Record<string, unknown> {
    return this.toJSON();
  }
}

/** An event over its record, frozen. */
export function eventOf<Type extends string, Data>(record: EventRecord, data: Data): Event<Type, Data> {
  return Object.freeze(new RecordEvent<Type, Data>(record, data));
}

/** A record as CloudEvents in structured JSON; `data` replaces the stored payload (a decoded one, say). */
export function cloudEventJson(
  record: EventRecord,
  payload: { data?: unknown } = payloadOf(record),
): Record<string, unknown> {
  return {
    specversion: "1.0",
    id: record.id,
    source: record.source,
    type: record.type,
    time: formatTime(record.timeMs),
    ...(record.key === null ? {} : { partitionkey: record.key }),
    ...(record.attributes?.["datacontenttype"] === undefined && record.data !== undefined
      ? { datacontenttype: "application/json" }
      : {}),
    ...record.attributes,
    ...(record.attributes?.["correlationid"] === undefined ? { correlationid: record.id } : {}),
    ...payload,
  };
}

/** The payload members of structured JSON: parsed JSON, other text as it is, and bytes in Base64. */
function payloadOf(record: EventRecord): Record<string, unknown> {
  if (record.data === undefined) return {};
  if (typeof record.data !== "string") return { data_base64: bytesToBase64(record.data) };
  if (!isJson(contentTypeOf(record))) return { data: record.data };
  try {
    return { data: JSON.parse(record.data) as unknown };
  } catch {
    // Broken JSON must not turn into a JSON text that looks like valid data.
    return { data_base64: bytesToBase64(new TextEncoder().encode(record.data)) };
  }
}

function bytesToBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let i = 0; i < bytes.length; i += 0x8000) binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(binary);
}
