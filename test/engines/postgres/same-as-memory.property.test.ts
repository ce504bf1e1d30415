import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";

import { memoryWorld } from "../../../src/engines/memory/factory.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import type { Transaction } from "../../../src/ports/transaction.ts";
import { entry, open, platform, schema, withoutPostgres } from "./support.ts";

const collection = "c";
const key = fc.constantFrom("a", "b", "c\0d");
const version = fc.integer({ min: 0, max: 3 });

/** Any transaction over a few documents, timers and events, so that they meet each other often. */
const transaction: fc.Arbitrary<Transaction> = fc.record(
  {
    checks: fc.array(fc.record({ collection: fc.constant(collection), key, version }), { maxLength: 2 }),
    documents: fc.array(
      fc.record({ collection: fc.constant(collection), key, value: fc.option(fc.constantFrom("1", "zwei\0", "3")) }),
      { maxLength: 4 },
    ),
    timers: fc.array(
      fc.record({
        queue: fc.constant("q"),
        key,
        dueAtMs: fc.option(fc.integer({ min: 0, max: 9 })),
        payload: fc.constantFrom("", "p"),
      }),
      { maxLength: 3 },
    ),
    publish: fc.array(
      fc
        .record({
          n: fc.integer({ min: 0, max: 3 }),
          partition: fc.integer({ min: 0, max: 1 }),
          checkId: fc.boolean(),
          other: fc.boolean(),
        })
        .map(({ n, partition, checkId, other }) => {
          const { record } = entry(n);
          return { topic: "orders", partition, record: other ? { ...record, data: "{}" } : record, checkId };
        }),
      { maxLength: 3 },
    ),
  },
  { requiredKeys: [] },
);

/** Everything that can be read. */
async function everything(engine: Engine): Promise<unknown> {
  const pages = await Promise.all(
    [0, 1].map((partition) => engine.topics.read("orders", partition, 0, { events: 1000, bytes: 1 << 20 })),
  );
  const timers = (await engine.timers?.list("q", { limit: 100 })) ?? [];
  return {
    documents: await engine.state?.scan(collection, { limit: 100 }),
    timers: timers.map(({ queue, key: name, dueAtMs, payload }) => ({ queue, key: name, dueAtMs, payload })),
    events: pages.map(({ records }) => records.map(({ id, data, position }) => [id, data, position])),
  };
}

describe("a Postgres store", { skip: withoutPostgres }, () => {
  it("answers every sequence of transactions as memory does, sent one by one or all at once, and holds the same afterwards", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { schema: name });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(transaction, { minLength: 1, maxLength: 8 }),
        fc.boolean(),
        async (transactions, atOnce) => {
          const mine = `r${round++}`;
          const memory = await memoryWorld().open({ platform });
          /** The same under names that no other round uses. */
          const renamed = (one: Transaction): Transaction => JSON.parse(JSON.stringify(one), (field, value: unknown) => {
          if (field === "collection" || field === "queue" || field === "topic") return `${mine}${String(value)}`;
          return field === "source" ? `/${mine}` : value;
        }) as Transaction; // prettier-ignore
          await engine.topics.declare([{ name: `${mine}orders`, partitions: 2 }]);
          await memory.topics.declare([{ name: "orders", partitions: 2 }]);
          const answers: unknown[] = [];
          const expected: unknown[] = [];
          if (atOnce) {
            answers.push(...(await Promise.all(transactions.map((one) => engine.transact(renamed(one))))));
          } else for (const one of transactions) answers.push(await engine.transact(renamed(one)));
          for (const one of transactions) expected.push(await memory.transact?.(one));
          assert.deepEqual(answers, expected);
          assert.deepEqual(await everything(named(engine, mine)), await everything(memory));
          await memory.close();
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** The engine as one round sees it. */
function named(engine: Engine, prefix: string): Engine {
  return {
    ...engine,
    topics: { ...engine.topics, read: (topic, ...rest) => engine.topics.read(prefix + topic, ...rest) },
    state: { ...(engine.state as NonNullable<Engine["state"]>), scan: (name, scan) => (engine.state as NonNullable<Engine["state"]>).scan(prefix + name, scan) }, // prettier-ignore
    timers: {
      ...(engine.timers as NonNullable<Engine["timers"]>),
      async list(queue, scan) {
        const timers = (await engine.timers?.list(prefix + queue, scan)) ?? [];
        return timers.map((timer) => ({ ...timer, queue }));
      },
    },
  };
}
