import type { Msg } from "@nats-io/transport-node";

/** The client's message holds headers and payload as they came, in these fields. */
interface RawMessage {
  readonly _rdata?: Uint8Array;
  readonly _msg?: { readonly hdr?: number };
}

/**
 * The header lines of a message as text. The client's own parsing into a map takes longer than everything else that a read
 * does; it is used when the client keeps its bytes elsewhere some day.
 */
export function headersOf(message: Msg): string {
  const { _rdata: bytes, _msg: parts } = message as unknown as RawMessage;
  if (bytes instanceof Uint8Array && typeof parts?.hdr === "number") {
    if (parts.hdr <= 0) return "";
    return Buffer.from(bytes.buffer, bytes.byteOffset, parts.hdr).toString("utf8");
  }
  let text = "NATS/1.0\r\n";
  if (message.headers)
    for (const [name, values] of message.headers) for (const value of values) text += `${name}: ${value}\r\n`;
  return text;
}

/** How many bytes headers and payload have. */
export function bytesOf(message: Msg): number {
  const { _rdata: bytes } = message as unknown as RawMessage;
  return bytes instanceof Uint8Array ? bytes.length : message.data.length + headersOf(message).length;
}
