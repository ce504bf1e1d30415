import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";

import { FaultProxy } from "../../../scripts/chaos/proxy.ts";
import { memoryWorld } from "../../../src/engines/memory/factory.ts";
import type { EventRecord } from "../../../src/event/record.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import type { TopicEntry } from "../../../src/ports/topics.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { entry, open, platform, prefix, url, withoutRedis } from "./support.ts";

const payload = fc.oneof(
  fc.constantFrom<EventRecord["data"]>(undefined, "", "{}", '{"n":0}', Uint8Array.of(0, 255)),
  fc.string({ unit: "grapheme" }),
);

/** Any publish of few ids over few places, so that they meet each other often. */
const publish: fc.Arbitrary<readonly TopicEntry[]> = fc.array(
  fc
    .record({
      n: fc.integer({ min: 0, max: 3 }),
      partition: fc.integer({ min: 0, max: 2 }),
      checkId: fc.boolean(),
      data: fc.option(payload, { nil: null }),
      key: fc.option(fc.string({ unit: "grapheme" }), { nil: null }),
      subject: fc.option(fc.string({ unit: "grapheme" }), { nil: undefined }),
    })
    .map(({ n, partition, checkId, data, key, subject }) => {
      const { record } = entry(n);
      const attributes = subject === undefined ? undefined : { subject };
      return { topic: "orders", partition, checkId, record: { ...record, key, attributes, ...(data === null ? {} : { data }) } };
    }),
  { minLength: 1, maxLength: 4 },
); // prettier-ignore

const retain = fc.record({
  partitionBytesMax: fc.integer({ min: 0, max: 600 }),
  floor: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 2, maxLength: 2 }),
});

type Step = readonly TopicEntry[] | { readonly partitionBytesMax: number; readonly floor: readonly number[] };

/** The answer, or the code of the refusal. */
async function done(engine: Engine, topic: string, step: Step): Promise<unknown> {
  try {
    if (!Array.isArray(step)) return await engine.topics.retain(topic, step as { partitionBytesMax: number });
    return await engine.topics.publish((step as readonly TopicEntry[]).map((one) => ({ ...one, topic, record: { ...one.record, source: `/${topic}` } }))); // prettier-ignore
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

async function resetAfter(proxy: FaultProxy, turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
  proxy.reset("all");
}

async function everything(engine: Engine, topic: string): Promise<unknown> {
  const bounds = await engine.topics.bounds(topic);
  const pages = await Promise.all(
    bounds.map((_, partition) => engine.topics.read(topic, partition, 0, { events: 1000, bytes: 1 << 20 })),
  );
  return { bounds, pages: pages.map(({ records, ...page }) => ({ ...page, records: records.map((record) => ({ ...record, appendedAtMs: 0 })) })) }; // prettier-ignore
}

describe("a Redis store", { skip: withoutRedis }, () => {
  it("answers every sequence of publishes as memory does, also over connections that break, and holds the same afterwards", async (t) => {
    const proxy = await FaultProxy.listen(Number(new URL(url()).port), 1);
    afterwards(t, () => proxy.close());
    const way = new URL(url());
    way.port = String(proxy.port);
    const engine = await open(t, { url: way.href, prefix: await prefix(t) });
    let round = 0;
    const steps = fc.array(fc.oneof({ weight: 4, arbitrary: publish }, { weight: 1, arbitrary: retain }), {
      minLength: 1,
      maxLength: 10,
    });
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.boolean(),
        fc.option(fc.integer({ min: 1, max: 3000 })),
        fc.option(fc.integer({ min: 0, max: 12 })),
        async (all, atOnce, cut, turns) => {
          const topic = `orders${round++}`;
          const memory = await memoryWorld().open({ platform });
          for (const one of [engine, memory]) await one.topics.declare([{ name: topic, partitions: 2 }]);
          const chosen = atOnce ? all.filter((step) => Array.isArray(step)) : all;
          if (cut !== null) proxy.cutAfter("all", cut);
          // Then what was sent has mostly arrived, and its answer has not.
          if (turns !== null) void resetAfter(proxy, turns);
          const answers: unknown[] = [];
          if (atOnce) answers.push(...(await Promise.all(chosen.map((step) => done(engine, topic, step)))));
          else for (const step of chosen) answers.push(await done(engine, topic, step));
          const expected: unknown[] = [];
          for (const step of chosen) expected.push(await done(memory, topic, step));
          // A step of retention that was cut off and done again has removed nothing the second time.
          const told = (list: unknown[]): unknown[] =>
            list.map((answer) => (typeof answer === "number" ? "retained" : answer));
          assert.deepEqual(told(answers), told(expected));
          assert.deepEqual(await everything(engine, topic), await everything(memory, topic));
          await memory.close();
        },
      ),
      { numRuns: 150 },
    );
    assert.deepEqual((await engine.verify()).problems, []);
  });
});
