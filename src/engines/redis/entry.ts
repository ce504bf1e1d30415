import type { StoredRecord } from "../../event/record.ts";
import { recordBytes } from "../../event/record.ts";
import { checksumOf } from "./draft.ts";
import { foreignRecord } from "./foreign.ts";
import { positionOf } from "./keys.ts";

/** An entry as the server answers it: its id, and names and values in turn. */
export type Entry = readonly [id: Buffer, fields: readonly Buffer[]];

/** Where entries come from. */
export interface EntryPlace {
  readonly topic: string;
  readonly partition: number;
  /** Key of the stream. */
  readonly stream: string;
  /** The address of the store, for events that say nothing of their source. */
  readonly address: string;
}

/** An entry that was read, and how many bytes it counts. */
export interface OpenEntry {
  readonly record: StoredRecord;
  readonly bytes: number;
}

const mark = Buffer.from("tidings");
/** Instant of the append, time of the event, bytes, kind of the payload, checksum. */
const stamp = /^(\d+) (-?\d+) (\d+) ([tbn])([0-9a-f]{1,8})$/;

/** The position of an entry. An id that is none of ours is not asked for. */
export const placeOf = ([id]: Entry): number => positionOf(id.toString("latin1")) as number;

/** Whether an entry is one that this engine has written, as far as it says. */
export function isOurs([, fields]: Entry): boolean {
  return fields.length > 1 && mark.equals(fields[fields.length - 2] as Buffer);
}

/** When an entry was appended; undefined for one of others. */
export function instantOfEntry(entry: Entry): number | undefined {
  if (!isOurs(entry)) return undefined;
  const instant = Number.parseInt((entry[1].at(-1) as Buffer).toString("latin1"), 10);
  return Number.isSafeInteger(instant) ? instant : undefined;
}

/** Opens an entry; undefined when it is damaged. `instant` stands for that of the append where the entry does not say it. */
export function openEntry(entry: Entry, place: EntryPlace, instant: number | undefined): OpenEntry | undefined {
  if (isOurs(entry)) return openOurs(entry, place);
  const record = foreignRecord(entry[1], { ...place, position: placeOf(entry), instant });
  return { record, bytes: recordBytes(record) };
}

function openOurs(entry: Entry, { topic, partition, stream }: EntryPlace): OpenEntry | undefined {
  const [, fields] = entry;
  const found = stamp.exec((fields[fields.length - 1] as Buffer).toString("latin1"));
  const last = fields.length - 4;
  if (!found || last < 0) return undefined;
  const texts: string[] = [];
  for (let at = 0; at < last; at++) texts.push((fields[at] as Buffer).toString("utf8"));
  const data = fields[last + 1] as Buffer;
  if (checksumOf(stream, texts, data) !== found[5]) return undefined;
  const kind = found[4];
  let key: string | null = null;
  let attributes: Record<string, string> | undefined;
  // The first five are always there, in this order.
  for (let at = 10; at < last; at += 2) {
    const name = texts[at] as string;
    const value = texts[at + 1] as string;
    if (name === "ce_partitionkey") key = value;
    else (attributes ??= {})[name === "content-type" ? "datacontenttype" : name.slice(3)] = value;
  }
  const record: StoredRecord = {
    id: texts[3] as string,
    source: texts[5] as string,
    type: texts[7] as string,
    timeMs: Number(found[2]),
    key,
    attributes,
    // Bytes are a copy: a buffer of the client's is a window on all that came with it.
    data: kind === "t" ? data.toString("utf8") : kind === "n" ? undefined : new Uint8Array(data),
    topic,
    partition,
    position: placeOf(entry),
    appendedAtMs: Number(found[1]),
  };
  return { record, bytes: Number(found[3]) };
}
