import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { shuffleFreely } from "../../../src/engines/memory/shuffle.ts";
import { seededRandom } from "../../../src/platform/random.ts";
import { memory } from "../../../src/engines/memory/index.ts";
import { virtualPlatform } from "../../../src/platform/virtual.ts";
import { bench, dataOf, entry } from "./support.ts";

const slots = fc.option(fc.uniqueArray(fc.constantFrom("a", "b", "c", "d")), { nil: undefined });

test("items that share a slot keep their order, and one that touches everything changes places with none", () => {
  fc.assert(
    fc.property(fc.array(slots, { maxLength: 30 }), fc.nat(), (list, seed) => {
      const items = list.map((slots, index) => ({ slots, index }));
      const shuffled = shuffleFreely(items, (item) => item.slots, seededRandom(seed));
      assert.deepEqual(new Set(shuffled), new Set(items));
      const place = new Map(shuffled.map((item, at) => [item.index, at]));
      for (const a of items) {
        for (const b of items.slice(a.index + 1)) {
          const bound = !a.slots || !b.slots || a.slots.some((slot) => b.slots?.includes(slot));
          if (bound) assert.ok(place.get(a.index)! < place.get(b.index)!);
        }
      }
    }),
  );
});

/** The order in which publishes of one turn to four partitions were acknowledged. */
async function orderOf(seed: number): Promise<string> {
  const { engine } = await bench(seed);
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      engine.topics.publish([entry(String(i), { partition: i % 4 })]).then(() => order.push(i)),
    ),
  );
  for (let partition = 0; partition < 4; partition++) {
    assert.deepEqual(
      order.filter((i) => i % 4 === partition),
      [partition, partition + 4, partition + 8],
    );
  }
  return order.join(" ");
}

test("publishes of one turn to different partitions take effect in an order that the seed draws", async () => {
  const orders = await Promise.all(Array.from({ length: 10 }, (_, seed) => orderOf(seed)));
  assert.ok(new Set(orders).size > 5);
  assert.equal(await orderOf(3), orders[3]);
});

test("a transaction keeps its place between the publishes around it", async () => {
  for (let seed = 0; seed < 20; seed++) {
    const { engine } = await bench(seed);
    const order: string[] = [];
    const note = (name: string) => () => void order.push(name);
    await Promise.all([
      engine.topics.publish([entry("a", { partition: 0 })]).then(note("before")),
      engine.topics.publish([entry("b", { partition: 1 })]).then(note("before")),
      engine.transact!({ publish: [entry("c", { partition: 2 })] }).then(note("transaction")),
      engine.topics.publish([entry("d", { partition: 3 })]).then(note("after")),
    ]);
    assert.deepEqual(order, ["before", "before", "transaction", "after"]);
  }
});

test("watchers of different topics are called in an order that the seed draws", async () => {
  const orders = new Set<string>();
  for (let seed = 0; seed < 10; seed++) {
    const platform = virtualPlatform();
    const engine = await memory({ seed }).open({ platform });
    const names = ["a", "b", "c", "d"];
    await engine.topics.declare(names.map((name) => ({ name, partitions: 1 })));
    const called: string[] = [];
    for (const name of names) engine.topics.watch(name, () => called.push(name));
    await engine.topics.publish(names.map((topic) => entry("x", { topic })));
    await platform.clock.flush();
    assert.deepEqual([...called].sort(), names);
    orders.add(called.join(""));
  }
  assert.ok(orders.size > 3);
});

test("nothing takes effect and nothing is acknowledged in the turn of the call", async () => {
  const { engine } = await bench();
  let acknowledged = false;
  const publishing = engine.topics.publish([entry("x")]).then(() => (acknowledged = true));
  for (let i = 0; i < 100; i++) await Promise.resolve();
  assert.equal(acknowledged, false);
  await publishing;
  assert.deepEqual(await dataOf(engine), ["x"]);
});
