import { isIdentifier } from "../../event/names.ts";
import type { EventRecord, StoredRecord } from "../../event/record.ts";
import { contentKind, openOurs } from "../broker/envelope.ts";
import { foreignEvent, gapEvent, textOf } from "../broker/foreign.ts";
import { corrupt, type MessagePlace } from "../broker/rejections.ts";
import type { Found } from "./batch.ts";
import { Scan } from "./bytes.ts";

/** Where a record lies. */
export type RecordPlace = Omit<MessagePlace, "position">;

/** The event that was found, whoever wrote it. Throws TIDINGS_RECORD_CORRUPT. */
export function recordOf(found: Found, place: RecordPlace): StoredRecord {
  const { position, appendedAtMs } = found;
  const { id, source, type, timeMs, key, attributes, data } = eventOf(found, place);
  const { topic, partition } = place;
  return { id, source, type, timeMs, key, attributes, data, topic, partition, position, appendedAtMs };
}

function eventOf(found: Found, partition: RecordPlace): EventRecord {
  const { position, appendedAtMs } = found;
  const place = (): MessagePlace => ({ ...partition, position });
  if (found.broken) throw corrupt(place());
  if (found.body === undefined) return gapEvent(place(), appendedAtMs);
  let message: Message;
  try {
    message = messageOf(found.body);
  } catch (error) {
    if (error instanceof RangeError) throw corrupt(place());
    throw error;
  }
  const { ce, contentType, value, ours } = message;
  if (ours === undefined) {
    // What is not ours has no checksum but that of its batch.
    if (!found.sound()) throw corrupt(place());
    return foreignEvent({ ce, contentType, data: value, key: keyOf(message.key), appendedAtMs }, place());
  }
  const isNamed = ours[1] === contentKind.named;
  const said = { kind: ours.slice(0, 1), checksum: ours.slice(2), contentType: isNamed ? contentType : undefined };
  const record = openOurs(ce, value ?? nothing, said);
  if (!record) throw corrupt(place());
  return record;
}

const nothing = Buffer.alloc(0);

interface Message {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Values of the headers of CloudEvents without their prefix. */
  readonly ce: Map<string, string>;
  /** What we wrote beside them. */
  readonly ours: string | undefined;
  readonly contentType: string | undefined;
}

function messageOf(body: Buffer): Message {
  const scan = new Scan(body);
  const key = scan.varBytes();
  const value = scan.varBytes();
  const ce = new Map<string, string>();
  let [ours, contentType]: (string | undefined)[] = [];
  const text = textsOf(body, scan.at);
  for (let count = scan.varint(); count > 0; count--) {
    const length = scan.varint();
    const at = scan.skip(Math.max(0, length));
    const name = text(at, scan.at);
    const valueLength = scan.varint();
    if (valueLength < 0) continue;
    const from = scan.skip(valueLength);
    if (name.startsWith("ce_")) ce.set(name.slice(3), text(from, scan.at));
    else if (name === "tidings") ours = text(from, scan.at);
    else if (name === "content-type" || /^content-type$/i.test(name)) contentType = text(from, scan.at);
  }
  return { key, value, ce, ours, contentType };
}

/** The texts of headers: made at once and cut where each is one byte a character. */
function textsOf(body: Buffer, begin: number): (from: number, to: number) => string {
  const all = body.toString("utf8", begin);
  if (all.length !== body.length - begin) return (from, to) => body.toString("utf8", from, to);
  return (from, to) => all.slice(from - begin, to - begin);
}

/** The key of the message, where it can be a key of ours. */
function keyOf(key: Buffer | null): string | null {
  const text = key === null ? undefined : textOf(key);
  return isIdentifier(text) ? text : null;
}
