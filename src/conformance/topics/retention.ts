import type { RetentionRule } from "../../ports/topics.ts";
import { recordBytes } from "../../event/record.ts";
import { equal, given, holds, same } from "../expect.ts";
import { all, capability, reopening } from "../needs.ts";
import { entriesOf, entryOf, numbered, publishEach, publishOne, readAll, textsOf } from "../records.ts";
import type { Case, Env } from "../suite.ts";

const byAge = capability("retentionByAge");
const bySize = capability("retentionBySize");

/** Retains until nothing more goes, since the work is done in small steps. Resolves with the number removed. */
async function retain(env: Env, topic: string, rule: RetentionRule): Promise<number> {
  let removed = 0;
  for (let step = await env.engine.topics.retain(topic, rule); step > 0;) {
    removed += step;
    step = await env.engine.topics.retain(topic, rule);
  }
  return removed;
}

/** An instant after everything that was published. */
async function later(env: Env): Promise<number> {
  await env.pass(20);
  return env.platform.clock.now();
}

/** What retention takes, what it leaves, and how a reader learns of it. */
export const retentionCases: readonly Case[] = [
  {
    name: "retention by age removes what is older than the instant and keeps the rest",
    needs: byAge,
    async run(env) {
      const topic = await env.topic();
      await publishEach(env, topic, numbered(5, "old-"));
      const instant = await later(env);
      const [first] = await publishEach(env, topic, numbered(5, "new-"));
      equal(await retain(env, topic, { appendedBeforeMs: instant }), 5);
      same(await textsOf(env.engine, topic), numbered(5, "new-"));
      equal(given((await env.engine.topics.bounds(topic))[0]).first, first);
      equal(await retain(env, topic, { appendedBeforeMs: instant }), 0);
    },
  },
  {
    name: "retention by size removes the oldest until the partition fits, and no more than it must",
    needs: bySize,
    async run(env) {
      const topic = await env.topic();
      const texts = numbered(20).map((text) => text.padEnd(10_000));
      await publishEach(env, topic, texts);
      await retain(env, topic, { partitionBytesMax: 105_000 });
      const left = await readAll(env.engine, topic);
      const bytes = left.reduce((sum, record) => sum + recordBytes(record), 0);
      holds(bytes <= 105_000 && left.length >= 8, `${left.length} events of ${bytes} bytes are left`);
      same(
        left.map(({ data }) => data),
        texts.slice(-left.length),
      );
      equal(await retain(env, topic, { partitionBytesMax: 1_000_000 }), 0);
    },
  },
  {
    name: "retention works in every partition by itself",
    needs: bySize,
    async run(env) {
      const topic = await env.topic(2);
      for (const text of numbered(6))
        await env.engine.topics.publish([entryOf(env, topic, { data: text.padEnd(10_000) }, 0)]);
      await env.engine.topics.publish(entriesOf(env, topic, ["small"], 1));
      holds((await retain(env, topic, { partitionBytesMax: 30_000 })) >= 3, "the large partition shrinks");
      same(await textsOf(env.engine, topic, 1), ["small"]);
    },
  },
  {
    name: "events at and after the floor stay, whatever their age and size",
    needs: byAge,
    async run(env) {
      const topic = await env.topic(2);
      const positions = await publishEach(env, topic, numbered(10));
      await env.engine.topics.publish(entriesOf(env, topic, ["kept"], 1));
      const bySizeToo = env.capabilities.retentionBySize ? { partitionBytesMax: 0 } : {};
      const rule = { appendedBeforeMs: await later(env), ...bySizeToo, floor: [given(positions[4]), 0] };
      equal(await retain(env, topic, rule), 4);
      same(await textsOf(env.engine, topic), numbered(10).slice(4));
      same(await textsOf(env.engine, topic, 1), ["kept"]);
    },
  },
  {
    name: "a floor in the middle of a batch keeps what is needed of it",
    needs: byAge,
    async run(env) {
      const topic = await env.topic();
      await env.engine.topics.publish(entriesOf(env, topic, ["gone"]));
      const batch = await env.engine.topics.publish(entriesOf(env, topic, numbered(10)));
      const rule = { appendedBeforeMs: await later(env), floor: [given(batch[5]).position] };
      await retain(env, topic, rule);
      const left = await textsOf(env.engine, topic);
      same(left.slice(-5), numbered(10).slice(5));
      holds(!left.includes("gone"), "the batch before it is gone");
    },
  },
  {
    name: "without a floor retention removes what no subscription has read",
    needs: byAge,
    async run(env) {
      const topic = await env.topic();
      await publishEach(env, topic, numbered(4));
      equal(await retain(env, topic, { appendedBeforeMs: await later(env) }), 4);
      const [bounds] = await env.engine.topics.bounds(topic);
      equal(given(bounds).first, given(bounds).next);
    },
  },
  {
    name: "a rule without limits removes nothing",
    needs: byAge,
    async run(env) {
      const topic = await env.topic();
      await publishEach(env, topic, numbered(4));
      await env.pass(20);
      equal(await retain(env, topic, {}), 0);
      equal(await retain(env, topic, { floor: [1_000_000] }), 0);
      same(await textsOf(env.engine, topic), numbered(4));
    },
  },
  {
    name: "a reader behind the first event that is left learns how many positions it lost",
    needs: byAge,
    async run(env) {
      const topic = await env.topic();
      await publishEach(env, topic, numbered(6));
      await retain(env, topic, { appendedBeforeMs: await later(env) });
      await publishEach(env, topic, ["left"]);
      const { first } = given((await env.engine.topics.bounds(topic))[0]);
      for (const asked of [0, 2, first - 1, first]) {
        const page = await env.engine.topics.read(topic, 0, asked, { events: 10, bytes: 1000 });
        same(
          page.records.map(({ data }) => data),
          ["left"],
        );
        equal(page.lost, first - asked);
      }
    },
  },
  {
    name: "a reader of a partition of which nothing is left learns it too, and goes on behind the gap",
    needs: byAge,
    async run(env) {
      const topic = await env.topic();
      await publishEach(env, topic, numbered(6));
      await retain(env, topic, { appendedBeforeMs: await later(env) });
      const { next } = given((await env.engine.topics.bounds(topic))[0]);
      const page = await env.engine.topics.read(topic, 0, 2, { events: 10, bytes: 1000 });
      same(page, { records: [], next, lost: next - 2, end: true });
    },
  },
  {
    name: "positions are never used again, also when everything was removed",
    needs: byAge,
    async run(env) {
      const topic = await env.topic();
      const before = await publishEach(env, topic, numbered(3));
      await retain(env, topic, { appendedBeforeMs: await later(env) });
      const { position } = await publishOne(env, topic, "after");
      holds(position > given(before.at(-1)), `${position} is new`);
    },
  },
  {
    name: "positions are never used again, also when everything was removed and the engine opened anew",
    needs: all(byAge, reopening),
    async run(env) {
      const topic = await env.topic();
      const before = await publishEach(env, topic, numbered(3));
      await retain(env, topic, { appendedBeforeMs: await later(env) });
      const again = await env.reopen();
      const { next } = given((await again.topics.bounds(topic))[0]);
      const { position } = await publishOne(env, topic, "after", again);
      holds(position > given(before.at(-1)) && position === next, `${position} is new`);
    },
  },
  {
    name: "retention beside writers takes nothing that is new",
    needs: byAge,
    async run(env) {
      const topic = await env.topic();
      await publishEach(env, topic, numbered(50, "old-"));
      const instant = await later(env);
      const [removed] = await Promise.all([
        retain(env, topic, { appendedBeforeMs: instant }),
        Promise.all(numbered(50, "new-").map((text) => publishOne(env, topic, text))),
      ]);
      equal(removed, 50);
      same(await textsOf(env.engine, topic), numbered(50, "new-"));
    },
  },
  {
    name: "a reader beside retention reads each event or learns that it lost it",
    needs: all(byAge, bySize),
    async run(env) {
      const topic = await env.topic();
      const positions = await publishEach(env, topic, numbered(60));
      const end = given(positions.at(-1)) + 1;
      let [seen, lost] = [0, 0];
      for (let position = 0, step = 0; position < end; step++) {
        const page = await env.engine.topics.read(topic, 0, position, { events: 2, bytes: 1000 });
        seen += page.records.length;
        lost += page.lost;
        holds(page.next > position, "reading goes on");
        position = page.next;
        const size = page.records.reduce((sum, record) => sum + recordBytes(record), 0) / 2;
        if (step % 5 === 4) await env.engine.topics.retain(topic, { partitionBytesMax: (end - position) * size * 0.8 });
      }
      holds(lost > 0 && seen > 0, `${seen} seen, ${lost} lost`);
      equal(seen + lost, end);
    },
  },
];
