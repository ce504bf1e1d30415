import { crc32 } from "node:zlib";
import type { Argument } from "./connection.ts";

/**
 * The checksum of an entry covers the key of its stream, and its names and values as the server sends them: `$5`, line end, five
 * bytes, line end, and so on. An entry that was read mostly lies in one piece in memory, so that no copy need be made of it.
 */
export function checksumOf(stream: string, fields: readonly Argument[]): string {
  let crc = seedOf(stream);
  let text = "";
  for (const field of fields) {
    if (typeof field === "string") {
      text += `$${Buffer.byteLength(field)}\r\n${field}\r\n`;
      continue;
    }
    crc = crc32("\r\n", crc32(field, crc32(`${text}$${field.length}\r\n`, crc)));
    text = "";
  }
  return crc32(text, crc).toString(16);
}

let remembered = "";
let seed = crc32("");

/** Neighbours are mostly of one stream, so the last one is remembered. */
function seedOf(stream: string): number {
  if (stream !== remembered) {
    seed = crc32(stream);
    remembered = stream;
  }
  return seed;
}

/** The same of a piece of memory. */
export const checksumOfPiece = (stream: string, piece: Buffer): string => crc32(piece, seedOf(stream)).toString(16);

/**
 * The piece of memory in which so many of the first fields lie one behind the other as the server has sent them; undefined when
 * they came in several. What is in it is known only when its checksum is right.
 */
export function pieceOf(fields: readonly Buffer[], count: number): Buffer | undefined {
  const first = fields[0] as Buffer;
  const last = fields[count - 1] as Buffer;
  if (first.buffer !== last.buffer) return undefined;
  let length = 0;
  for (let at = 0; at < count; at++)
    length += headLength((fields[at] as Buffer).length) + (fields[at] as Buffer).length + 2;
  const begin = first.byteOffset - headLength(first.length);
  const end = last.byteOffset + last.length + 2;
  if (begin < 0 || end - begin !== length || end > first.buffer.byteLength) return undefined;
  return Buffer.from(first.buffer, begin, length);
}

/** Bytes before a value: `$5` and line end. */
function headLength(length: number): number {
  let digits = 1;
  for (let rest = length; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  return digits + 3;
}
