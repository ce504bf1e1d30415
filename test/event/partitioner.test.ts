import assert from "node:assert/strict";
import { test } from "node:test";
import { keylessPartitions, murmur2, partitionOf } from "../../src/event/partitioner.ts";

const vectors: readonly (readonly [string, number])[] = [
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
];

test("murmur2 gives the hashes of Kafka's own tests", () => {
  for (const [key, hash] of vectors) assert.equal(murmur2(key), hash, key);
});

test("murmur2 hashes the UTF-8 bytes of keys that are not ASCII", () => {
  // Reference: the algorithm of org.apache.kafka.common.utils.Utils, spelled out over bytes.
  for (const key of ["é", "Zürich", "日本語", "ascii then é", "😀", "abcé", "abcdé", ""]) {
    assert.equal(murmur2(key), reference(new TextEncoder().encode(key)), JSON.stringify(key));
  }
});

test("a partition is never negative and below the count", () => {
  for (let i = 0; i < 10_000; i++) {
    const partition = partitionOf(`order-${i}`, 7);
    assert.ok(partition >= 0 && partition < 7);
  }
  assert.equal(partitionOf("foobar", 1), 0);
  assert.equal(partitionOf("foobar", 1000), (-790332482 & 0x7fffffff) % 1000);
});

test("events without a key go round all partitions", () => {
  const next = keylessPartitions(0xffff_fffe);
  assert.deepEqual([next(4), next(4), next(4), next(4)], [2, 3, 0, 1]);
});

function reference(data: Uint8Array): number {
  const m = 0x5bd1e995;
  let h = (0x9747b28c ^ data.length) | 0;
  const words = data.length >> 2;
  for (let i = 0; i < words; i++) {
    let k = new DataView(data.buffer, data.byteOffset).getInt32(i * 4, true);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    k = Math.imul(k, m);
    h = Math.imul(h, m) ^ k;
  }
  const rest = data.length & ~3;
  const tail = data.length % 4;
  if (tail === 3) h ^= (data[rest + 2] as number) << 16;
  if (tail >= 2) h ^= (data[rest + 1] as number) << 8;
  if (tail >= 1) h = Math.imul(h ^ (data[rest] as number), m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  return h ^ (h >>> 15);
}
