import { isAscii } from "node:buffer";
import type { StoredRecord } from "../../event/record.ts";
import { recordBytes } from "../../event/record.ts";
import { checksumOf, checksumOfPiece, pieceOf } from "./checksum.ts";
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
  /** When it was appended; undefined for one of others, which does not say it. */
  readonly instant: number | undefined;
}

const mark = Buffer.from("tidings");
/** Instant of the append, time of the event, bytes, kind of the payload, whether its content type is implied, checksum. */
const stamp = /^(\d+) (-?\d+) (\d+) ([tbn])(i?)([0-9a-f]{1,8})$/;

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

/** Opens the entry at a position; undefined when it is damaged. `instant` stands for that of the append where the entry does not say it. */
export function openEntry(
  entry: Entry,
  place: EntryPlace,
  position: number,
  instant: number | undefined,
): OpenEntry | undefined {
  if (isOurs(entry)) return openOurs(entry, place, position);
  const record = foreignRecord(entry[1], { ...place, position, instant });
  return { record, bytes: recordBytes(record), instant: undefined };
}

function openOurs(
  [, fields]: Entry,
  { topic, partition, stream }: EntryPlace,
  position: number,
): OpenEntry | undefined {
  const found = stamp.exec((fields[fields.length - 1] as Buffer).toString("latin1"));
  // The payload and its name stand before the stamp and its name.
  const last = fields.length - 4;
  const piece = found && last >= 10 ? pieceOf(fields, last + 2) : undefined;
  const whole = piece !== undefined && checksumOfPiece(stream, piece) === found?.[6];
  if (!found || last < 10 || (!whole && checksumOf(stream, fields.slice(0, last + 2)) !== found[6])) return undefined;
  const text = whole ? textsOf(piece, fields) : (at: number): string => (fields[at] as Buffer).toString("utf8");
  const kind = found[4];
  const isImplied = found[5] !== "";
  let key: string | null = null;
  let attributes: Record<string, string> | undefined;
  // The first five are always there, in this order.
  for (let at = 10; at < last; at += 2) {
    const name = text(at);
    if (name === "ce_partitionkey") key = text(at + 1);
    else if (isImplied && name === "content-type") continue;
    else (attributes ??= {})[name === "content-type" ? "datacontenttype" : name.slice(3)] = text(at + 1);
  }
  const record: StoredRecord = {
    id: text(3),
    source: text(5),
    type: text(7),
    timeMs: Number(found[2]),
    key,
    attributes,
    // Bytes are a copy: a buffer of the client's is a window on all that came with it.
    data: kind === "t" ? text(last + 1) : kind === "n" ? undefined : new Uint8Array(fields[last + 1] as Buffer),
    topic,
    partition,
    position,
    appendedAtMs: Number(found[1]),
  };
  return { record, bytes: Number(found[3]), instant: record.appendedAtMs };
}

/** The texts of fields in one piece: made at once and cut where each is one byte a character. */
function textsOf(piece: Buffer, fields: readonly Buffer[]): (at: number) => string {
  if (!isAscii(piece)) return (at) => (fields[at] as Buffer).toString("utf8");
  const all = piece.toString("latin1");
  return (at) => {
    const { byteOffset, length } = fields[at] as Buffer;
    const begin = byteOffset - piece.byteOffset;
    return all.slice(begin, begin + length);
  };
}
