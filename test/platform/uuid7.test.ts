import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../src/platform/random.ts";
import { uuid7Source } from "../../src/platform/uuid7.ts";
import { virtualClock } from "../../src/platform/virtual.ts";

const format = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("an id is a UUID of version 7 that begins with the time", () => {
  const ids = uuid7Source(virtualClock(0x0123_4567_89ab), seededRandom(1));
  for (let i = 0; i < 1000; i++) {
    const id = ids.next();
    assert.match(id, format);
    assert.equal(id.slice(0, 13), "01234567-89ab");
  }
});

test("ids rise within a millisecond, also when the counter is used up", () => {
  const clock = virtualClock();
  const ids = uuid7Source(clock, seededRandom(2));
  assertRise(Array.from({ length: 20_000 }, () => ids.next()));
});

test("ids rise when the clock steps back", () => {
  const clock = virtualClock();
  const ids = uuid7Source(clock, seededRandom(3));
  assertRise(
    Array.from({ length: 1000 }, (_, i) => {
      clock.jump(i % 3 === 0 ? 5 : -7);
      return ids.next();
    }),
  );
});

test("ids rise when the clock tells parts of a millisecond", () => {
  const clock = virtualClock();
  const ids = uuid7Source(clock, seededRandom(4));
  assertRise(
    Array.from({ length: 1000 }, () => {
      clock.jump(0.25);
      return ids.next();
    }),
  );
});

test("the same seed and clock give the same ids", () => {
  const make = (): string[] => {
    const ids = uuid7Source(virtualClock(), seededRandom(5));
    return Array.from({ length: 100 }, () => ids.next());
  };
  assert.deepEqual(make(), make());
});

function assertRise(ids: readonly string[]): void {
  for (let i = 1; i < ids.length; i++)
    assert.ok((ids[i - 1] as string) < (ids[i] as string), `${ids[i - 1]} ${ids[i]}`);
}
