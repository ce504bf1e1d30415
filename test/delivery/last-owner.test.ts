// A member that has lost its partitions and lives, as all do in an outage of the store.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { type Bench, bench, drive, gate, Happened, totalsOf } from "./support.ts";

/** In each of the two partitions more than twice as many as suspects run together. */
const keys = Array.from({ length: 128 }, (_, n) => `key-${n}`);
/** So many suspects run together. */
const together = 16;

/** A service whose handlers wait at the gate, and what is known of them. */
function waiting(at: { opened: Promise<void> }) {
  const seen = { begun: 0, running: 0, most: 0 };
  const made = service("sink", { concurrency: 4 * keys.length }).on(Happened, async ({ data }, ctx) => {
    seen.begun++;
    seen.most = Math.max(seen.most, ++seen.running);
    await at.opened;
    seen.running--;
    const box = ctx.state<number>("times");
    box.set(data.key, ((await box.get(data.key)) ?? 0) + 1);
  });
  return { made, seen };
}

/** How often each key's handler took effect. */
async function times(from: Bench): Promise<(number | undefined)[]> {
  const box = from.app.state<number>("sink", "times");
  return Promise.all(keys.map((key) => drive(from.clock, box.get(key))));
}

describe("events of an owner that lives and has only lost its partition", () => {
  it("run as ever when it gets the partition back", async () => {
    const world = memoryWorld();
    const at = gate();
    const { made, seen } = waiting(at);
    const one = await bench([made], { world });
    await Promise.all(keys.map((key) => one.feed(key, 0)));
    assert.equal(seen.begun, keys.length);
    const again = world.fail(({ kind }) => (kind === "lease" ? { fail: "before" } : undefined));
    await one.clock.advance(30_000);
    again();
    const before = seen.begun;
    seen.most = seen.running = 0;
    await one.clock.advance(5000);
    assert.equal(seen.begun - before, keys.length);
    assert.equal(seen.most, keys.length, "they ran a few at a time");
    at.open();
    await one.rest();
    assert.deepEqual(
      await times(one),
      keys.map(() => 1),
    );
    assert.equal((await totalsOf(one)).handled, keys.length);
    await drive(one.clock, one.app.stop());
  });

  it("run as ever at another one as soon as it shows that it lives, and a few at a time when it does not", async () => {
    for (const lives of [true, false]) {
      const world = memoryWorld();
      const platform = virtualPlatform();
      const never = gate();
      const first = await bench([waiting(never).made], { world, platform, memberId: "one" });
      await Promise.all(keys.map((key) => first.feed(key, 0)));
      const again = world.fail(({ kind, engine }) =>
        kind === "lease" && engine === first.app.engine ? { fail: "before" } : undefined,
      );
      const at = gate();
      const { made, seen } = waiting(at);
      const second = await bench([made], { world, platform, memberId: "two" });
      await second.clock.advance(20_000);
      assert.deepEqual(
        [seen.begun, seen.running],
        [together, together],
        "the first suspects have the process to themselves",
      );
      if (lives) again();
      else world.crash(first.app.engine);
      await second.clock.advance(lives ? 5000 : 20_000);
      assert.equal(seen.begun, together);
      at.open();
      await second.clock.advance(lives ? 0 : 20_000);
      await second.rest();
      assert.equal(seen.most > together, lives);
      never.open();
      await second.clock.advance(5000);
      assert.deepEqual(
        await times(second),
        keys.map(() => 1),
      );
      await drive(second.clock, second.app.stop());
      if (lives) await drive(first.clock, first.app.stop());
    }
  });
});
