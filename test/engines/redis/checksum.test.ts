import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";

import { checksumOf, checksumOfPiece, pieceOf } from "../../../src/engines/redis/checksum.ts";

/** Fields as a server sends them, with something before and behind, and where each stands. */
function sent(fields: readonly Buffer[]): readonly Buffer[] {
  const parts: Buffer[] = [Buffer.from("*2\r\n")];
  for (const field of fields) parts.push(Buffer.from(`$${field.length}\r\n`), field, Buffer.from("\r\n"));
  const all = Buffer.concat([...parts, Buffer.from("*-1\r\n")]);
  let at = 4;
  return fields.map((field) => {
    const begin = at + `$${field.length}\r\n`.length;
    at = begin + field.length + 2;
    return all.subarray(begin, begin + field.length);
  });
}

const field = fc.oneof(
  fc.string({ unit: "grapheme" }).map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 1200 }).map((bytes) => Buffer.from(bytes)),
);

describe("the checksum of an entry", () => {
  it("is the same of the fields that are written, of the piece that is read, and of fields that came in pieces", () => {
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 8 }), (fields) => {
        const read = sent(fields);
        const piece = pieceOf(read, read.length);
        assert.ok(piece);
        const expected = checksumOf("stream", fields);
        assert.equal(checksumOfPiece("stream", piece), expected);
        assert.equal(checksumOf("stream", read), expected);
        const texts = fields.map((one) => (Buffer.from(one.toString("utf8")).equals(one) ? one.toString("utf8") : one));
        assert.equal(checksumOf("stream", texts), expected);
      }),
    );
  });

  it("differs for another stream, another value, and values that are cut otherwise", () => {
    const of = (stream: string, ...fields: string[]): string => checksumOf(stream, fields);
    const all = [of("s", "a", "bc"), of("t", "a", "bc"), of("s", "a", "bd"), of("s", "ab", "c"), of("s", "abc")];
    assert.equal(new Set(all).size, all.length);
  });

  it("is not taken of a piece when the fields lie apart", () => {
    const [one, two] = [sent([Buffer.from("a")])[0] as Buffer, sent([Buffer.from("b")])[0] as Buffer];
    const together = sent([Buffer.from("a"), Buffer.from("b"), Buffer.from("c")]);
    const apart = [together[0], together[2]] as Buffer[];
    for (const fields of [[one, two], apart]) {
      const piece = pieceOf(fields, 2);
      assert.ok(piece === undefined || checksumOfPiece("s", piece) !== checksumOf("s", fields));
    }
  });
});
