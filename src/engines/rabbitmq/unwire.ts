import type { ConsumeMessage } from "amqplib";
import type { EventRecord, StoredRecord } from "../../event/record.ts";
import { openOurs } from "../broker/envelope.ts";
import { foreignEvent, gapEvent } from "../broker/foreign.ts";
import { corrupt, type MessagePlace } from "../broker/rejections.ts";
import { headerOf } from "./feed.ts";

/** The record of a message, whoever wrote it. Throws TIDINGS_RECORD_CORRUPT for one of ours that does not match its checksum. */
export function recordOf(message: ConsumeMessage, place: MessagePlace): StoredRecord {
  const mark = markOf(message);
  const ce = cloudEventHeaders(message);
  const data = message.content;
  const appendedAtMs = appendedAt(message);
  if (mark === undefined) {
    const contentType = textOr(message.properties.contentType as unknown);
    return storedAt(
      place,
      foreignEvent({ ce, contentType, data: data.length === 0 ? null : data, appendedAtMs }, place),
      appendedAtMs,
    );
  }
  const record = openOurs(ce, data, { kind: mark.slice(0, 1), checksum: mark.slice(1, 9) });
  if (!record) throw corrupt(place);
  return storedAt(place, record, appendedAtMs);
}

/** What is handed out for a place that the server uses itself, so that positions go on by one. */
export function gapRecord(place: MessagePlace, appendedAtMs: number): StoredRecord {
  return storedAt(place, gapEvent(place, appendedAtMs), appendedAtMs);
}

function storedAt(place: MessagePlace, event: EventRecord, appendedAtMs: number): StoredRecord {
  const { id, source, type, timeMs, key, attributes, data } = event;
  const { topic, partition, position } = place;
  return { id, source, type, timeMs, key, attributes, data, topic, partition, position, appendedAtMs };
}

/** When a message was appended, by the clock of whoever did: the server does not tell its own. 0 when nobody said. */
export function appendedAt(message: ConsumeMessage): number {
  const ours = markOf(message);
  if (ours !== undefined) return parseInt(ours.slice(9), 36);
  const { timestamp } = message.properties as { timestamp?: unknown };
  // By the server's interceptor, when the operator has it set.
  const exactly = headerOf(message, "timestamp_in_ms");
  if (typeof exactly === "number") return exactly;
  return typeof timestamp === "number" && Number.isSafeInteger(timestamp * 1000) ? timestamp * 1000 : 0;
}

/** What we write beside a CloudEvent: kind of the payload, 8 digits of checksum, time. */
function markOf(message: ConsumeMessage): string | undefined {
  const mark = headerOf(message, "tidings");
  return typeof mark === "string" && /^[sbn][0-9a-f]{8}[0-9a-z]+$/.test(mark) ? mark : undefined;
}

const prefixes = /^cloudEvents[:_]/;

function cloudEventHeaders({ properties }: ConsumeMessage): Map<string, string> {
  const found = new Map<string, string>();
  const headers = (properties.headers ?? {}) as Record<string, unknown>;
  for (const name in headers) {
    if (!prefixes.test(name)) continue;
    const text = textOr(headers[name]);
    if (text !== undefined) found.set(name.slice(12), text);
  }
  return found;
}

/** A value of a header as CloudEvents write it; undefined for what is no attribute. */
function textOr(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  const { "!": kind, value: inner } = (value ?? {}) as { readonly "!"?: string; readonly value?: unknown };
  if (kind === "timestamp" && typeof inner === "number" && Math.abs(inner) < 8.64e12)
    return new Date(inner * 1000).toISOString();
  return undefined;
}
