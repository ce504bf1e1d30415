import assert from "node:assert/strict";
import { test } from "node:test";
import { type Random, seededRandom } from "../../src/platform/random.ts";
import { systemRandom } from "../../src/platform/system.ts";

const draw = (random: Random, count: number): number[] => Array.from({ length: count }, () => random.uint32());

test("a seed gives the same numbers for ever", () => {
  assert.deepEqual(draw(seededRandom(42), 1000), draw(seededRandom(42), 1000));
  assert.deepEqual(draw(seededRandom(42), 3), [3292315440, 968404367, 338677191]);
});

test("neighbouring seeds give other numbers", () => {
  const firsts = new Set(Array.from({ length: 1000 }, (_, seed) => seededRandom(seed).uint32()));
  assert.ok(firsts.size > 990);
});

for (const [name, random] of [
  ["seeded", seededRandom(7)],
  ["system", systemRandom()],
] as const) {
  test(`${name} numbers lie at least at 0 and below 1 and spread evenly`, () => {
    const buckets = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 100_000; i++) {
      const value = random.next();
      assert.ok(value >= 0 && value < 1);
      buckets[Math.floor(value * 10)]!++;
    }
    for (const count of buckets) assert.ok(count > 9_500 && count < 10_500, String(count));
  });
}
