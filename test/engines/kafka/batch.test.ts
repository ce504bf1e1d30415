import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as client from "@platformatic/kafka";
import { crc32c, compressionsAlgorithmsByBitmask } from "@platformatic/kafka";
import * as fc from "fast-check";

import { type Compression, compressionOf } from "../../../src/engines/kafka/compression.ts";
import { Bodies } from "../../../src/engines/kafka/body.ts";
import { batchOf, type Codec, foundIn } from "../../../src/engines/kafka/batch.ts";
import { recordOf } from "../../../src/engines/kafka/unwire.ts";
import { draftOf } from "../../../src/engines/kafka/wire.ts";
import { hasCode } from "../../../src/errors/tidings-error.ts";
import { entry, record } from "../records.ts";

const codec: Codec = {
  crc32c,
  decompress(kind, bytes) {
    const found = compressionsAlgorithmsByBitmask[kind as keyof typeof compressionsAlgorithmsByBitmask];
    if (!found) throw new Error(`no compression ${kind}`);
    return found.decompressSync(bytes);
  },
};
const place = { topic: "orders", partition: 0, address: "kafka://host:9092" };

/** A batch as a leader stores it: with the offset of its first event. */
function stored(base: number, count: number, compression?: Compression): Buffer {
  const drafts = Array.from({ length: count }, (_, n) =>
    draftOf(entry(base + n), { eventBytesMax: 1 << 20 }, new Bodies()),
  );
  const batch = batchOf(
    drafts,
    { producerId: 7n, epoch: 0, sequence: 3 },
    1_750_000_000_000,
    codec.crc32c,
    compression,
  );
  batch.writeBigInt64BE(BigInt(base), 0);
  return batch;
}

const three = Buffer.concat([stored(0, 3), stored(3, 1), stored(4, 5)]);

describe("batches of Kafka", () => {
  it("give back what was written, from any position on", () => {
    for (let from = 0; from < 9; from++) {
      const found = foundIn({ records: three, aborted: [] }, from, codec);
      const numbers = found.map((each) => (JSON.parse(recordOf(each, place).data as string) as { n: number }).n);
      assert.deepEqual(
        numbers,
        Array.from({ length: 9 - from }, (_, n) => from + n),
      );
    }
  });

  for (const name of ["gzip", "snappy", "lz4", "zstd"] as const)
    it(`that are compressed with ${name} give back what was written, and are smaller`, () => {
      const records = stored(0, 50, compressionOf(client, name));
      assert.ok(records.length < stored(0, 50).length / 2, `${records.length} bytes`);
      const found = foundIn({ records, aborted: [] }, 0, codec);
      assert.deepEqual(
        found.map((each) => recordOf(each, place)),
        foundIn({ records: stored(0, 50), aborted: [] }, 0, codec).map((each) => recordOf(each, place)),
      );
    });

  it("that compression makes larger are written as they are", () => {
    assert.deepEqual(stored(0, 1, { number: 1, compress: (bytes) => Buffer.concat([bytes, bytes]) }), stored(0, 1));
  });

  it("that are cut off at the end give those before them", () => {
    const found = foundIn({ records: three.subarray(0, three.length - 1), aborted: [] }, 0, codec);
    assert.deepEqual(
      found.map(({ position }) => position),
      [0, 1, 2, 3],
    );
  });

  it("of which any byte behind the offset was changed are read as they were, or told to be damaged, and are never served otherwise", () => {
    const one = stored(0, 3);
    fc.assert(
      fc.property(fc.integer({ min: 8, max: one.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const records = Buffer.from(one);
        records[at] = (records[at] as number) ^ change;
        const found = foundIn({ records, aborted: [] }, 0, codec);
        assert.ok(found.length > 0 && found.length <= 3);
        for (const [position, each] of found.entries()) {
          assert.equal(each.position, position);
          try {
            const { data, id } = recordOf(each, place);
            assert.deepEqual({ data, id }, { data: record(position).data, id: record(position).id });
          } catch (error) {
            assert.ok(hasCode(error, "TIDINGS_RECORD_CORRUPT"), String(error));
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});
