import type { EventRecord, StoredRecord } from "../../event/record.ts";
import { contentKind, openOurs } from "../broker/envelope.ts";
import { foreignEvent } from "../broker/foreign.ts";
import { corrupt, type MessagePlace } from "../broker/rejections.ts";

/** The record of a message, whoever wrote it. Throws TIDINGS_RECORD_CORRUPT for one of ours that does not match its checksum. */
export function recordOf(
  headers: string,
  data: Uint8Array,
  place: MessagePlace & { readonly appendedAtMs: number },
): StoredRecord {
  const found = parseHeaders(headers);
  const { ce, ours, contentType } = found;
  const record =
    ours === undefined
      ? foreignEvent(
          {
            ce,
            contentType,
            data: data.length === 0 ? null : data,
            appendedAtMs: place.appendedAtMs,
            maybeStructured: true,
          },
          place,
        )
      : ourRecord(ours, ce, data);
  if (!record) throw corrupt(place);
  const { id, source, type, timeMs, key, attributes } = record;
  const { topic, partition, position, appendedAtMs } = place;
  return { id, source, type, timeMs, key, attributes, data: record.data, topic, partition, position, appendedAtMs };
}

function ourRecord(ours: string, ce: Map<string, string>, data: Uint8Array): EventRecord | undefined {
  // It is no hexadecimal digit, and messages of before it was written have the checksum here.
  const isImplied = ours.startsWith(contentKind.implied, 1);
  if (isImplied) ce.delete("datacontenttype");
  return openOurs(ce, data, { kind: ours.slice(0, 1), checksum: ours.slice(isImplied ? 2 : 1) });
}

interface Headers {
  /** Values of the headers of CloudEvents without their prefix. */
  readonly ce: Map<string, string>;
  /** What we wrote beside them. */
  ours: string | undefined;
  contentType: string | undefined;
}

function parseHeaders(text: string): Headers {
  const headers: Headers = { ce: new Map(), ours: undefined, contentType: undefined };
  for (let from = text.indexOf("\n") + 1; from > 0 && from < text.length;) {
    let end = text.indexOf("\r\n", from);
    if (end < 0) end = text.length;
    const colon = text.indexOf(":", from);
    if (colon > from && colon < end) {
      const name = text.slice(from, colon);
      // Others may write names in another case; ours are looked at as they are.
      if (name.startsWith("ce-") || /^ce-/i.test(name))
        headers.ce.set(name.slice(3).toLowerCase(), value(text, colon, end));
      else if (name === "tidings") headers.ours = value(text, colon, end);
      else if (/^content-type$/i.test(name)) headers.contentType = value(text, colon, end);
    }
    from = end + 2;
  }
  return headers;
}

function value(text: string, colon: number, end: number): string {
  const raw = text.slice(colon + 1, end).trim();
  return raw.includes("%") ? unescape(raw) : raw;
}

/** What is no percent-encoding stands for itself. */
function unescape(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
