import type { EventRecord } from "./record.ts";

/**
 * What an event says, as 16 hexadecimal digits: a hash over type, key and payload, which tells a repeated publish of
 * one id from another event that wrongly carries the same id. Time and attributes do not count, for a publisher that
 * tries again may well state another time or trace. The payload counts byte by byte, as text or as bytes alike.
 *
 * The function is cyrb53 (two multiplicative lanes of 32 bits, mixed at the end) kept at its full 64 bits: fast in
 * JavaScript without BigInt and the same on every machine. It is no protection against one who looks for a collision.
 */
export function payloadHash(record: EventRecord): string {
  return digest(bytesOf(record));
}

const encoder = new TextEncoder();
const scratch = new Uint8Array(8192);

/** Type, key and payload in a row. 0xff and 0xfe never occur in UTF-8, so that no field can run into the next one. */
function bytesOf(record: EventRecord): Uint8Array {
  const { type, key, data } = record;
  const dataMax = typeof data === "string" ? data.length * 3 : (data?.byteLength ?? 1);
  const room = type.length * 3 + (key?.length ?? 1) * 3 + dataMax + 2;
  const bytes = room <= scratch.length ? scratch : new Uint8Array(room);
  let at = encoder.encodeInto(type, bytes).written;
  bytes[at++] = 0xff;
  if (key === null) bytes[at++] = 0xfe;
  else at += encoder.encodeInto(key, bytes.subarray(at)).written;
  bytes[at++] = 0xff;
  if (data === undefined) bytes[at++] = 0xfe;
  else if (typeof data === "string") at += encoder.encodeInto(data, bytes.subarray(at)).written;
  else {
    bytes.set(data, at);
    at += data.byteLength;
  }
  return bytes.subarray(0, at);
}

function digest(bytes: Uint8Array): string {
  let a = 0xdeadbeef | 0;
  let b = 0x41c6ce57 | 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    a = Math.imul(a ^ byte, 2654435761);
    b = Math.imul(b ^ byte, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return hex(b) + hex(a);
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, "0");
}
