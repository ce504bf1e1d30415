import { recordBytes } from "../../event/record.ts";
import { equal, given, holds, rejects, same } from "../expect.ts";
import { damaging } from "../needs.ts";
import { entriesOf, numbered, publishEach, publishOne, readAll, recordOf } from "../records.ts";
import type { Case } from "../suite.ts";

const plenty = { events: 1000, bytes: 1_000_000 };

/** Pages, their limits and their ends. */
export const readCases: readonly Case[] = [
  {
    name: "a page holds at most as many events as asked for, and the next one goes on after it",
    async run(env) {
      const topic = await env.topic();
      await env.engine.topics.publish(entriesOf(env, topic, numbered(25)));
      const seen: unknown[] = [];
      for (let position = 0; seen.length < 25;) {
        const page = await env.engine.topics.read(topic, 0, position, { events: 7, bytes: 1_000_000 });
        holds(page.records.length > 0 && page.records.length <= 7, `${page.records.length} of 7`);
        equal(page.lost, 0);
        seen.push(...page.records.map(({ data }) => data));
        equal(page.next, given(page.records.at(-1)).position + 1);
        position = page.next;
      }
      same(seen, numbered(25));
    },
  },
  {
    name: "a page that says that it is the end has nothing behind it, and one that stops before never says so",
    async run(env) {
      const topic = await env.topic();
      const read = (position: number, events: number) =>
        env.engine.topics.read(topic, 0, position, { events, bytes: 1_000_000 });
      await publishEach(env, topic, numbered(6));
      const { next } = given((await env.engine.topics.bounds(topic))[0]);
      for (const events of [1, 2, 5, 6, 100]) {
        for (let position = 0; position < next; position += 1) {
          const page = await read(position, events);
          if (page.next < next) equal(page.end, false);
          if (page.end) equal((await read(page.next, 100)).records.length, 0);
        }
      }
      const { end } = await read(0, 100);
      await publishEach(env, topic, ["later"]);
      equal((await read(end ? next : 0, 100)).records.at(-1)?.data, "later");
    },
  },
  {
    name: "a page holds at most as many bytes as asked for",
    async run(env) {
      const topic = await env.topic();
      const records = numbered(20).map((data) => recordOf(env, { data: data.padEnd(10_000) }));
      await env.engine.topics.publish(records.map((record) => ({ topic, partition: 0, record })));
      for (let position = 0, seen = 0; seen < 20;) {
        const page = await env.engine.topics.read(topic, 0, position, { events: 1000, bytes: 50_000 });
        const bytes = page.records.reduce((sum, record) => sum + recordBytes(record), 0);
        holds(page.records.length >= 1 && bytes <= 50_000, `${page.records.length} events of ${bytes} bytes`);
        seen += page.records.length;
        position = page.next;
      }
    },
  },
  {
    name: "a page holds at least one event, however small the limit",
    async run(env) {
      const topic = await env.topic();
      await env.engine.topics.publish(entriesOf(env, topic, ["x".repeat(300_000), "y"]));
      const page = await env.engine.topics.read(topic, 0, 0, { events: 10, bytes: 1 });
      same(
        page.records.map(({ data }) => (data as string).length),
        [300_000],
      );
      const next = await env.engine.topics.read(topic, 0, page.next, { events: 1, bytes: 1 });
      same(
        next.records.map(({ data }) => data),
        ["y"],
      );
    },
  },
  {
    name: "reading may begin in the middle of a batch",
    async run(env) {
      const topic = await env.topic();
      const appended = await env.engine.topics.publish(entriesOf(env, topic, numbered(100)));
      for (const at of [0, 1, 49, 50, 98, 99]) {
        const { records } = await env.engine.topics.read(topic, 0, given(appended[at]).position, plenty);
        same(
          records.map(({ data }) => data),
          numbered(100).slice(at),
        );
      }
    },
  },
  {
    name: "reading at the end gives an empty page that skips nothing",
    async run(env) {
      const topic = await env.topic();
      for (const text of ["a", "b"]) {
        const end = given((await env.engine.topics.bounds(topic))[0]).next;
        same(await env.engine.topics.read(topic, 0, end, plenty), { records: [], next: end, lost: 0, end: true });
        await publishOne(env, topic, text);
        const page = await env.engine.topics.read(topic, 0, end, plenty);
        same(
          page.records.map(({ data }) => data),
          [text],
        );
      }
    },
  },
  {
    name: "reading past the end gives an empty page that does not go further",
    async run(env) {
      const topic = await env.topic();
      await publishOne(env, topic, "a");
      const page = await env.engine.topics.read(topic, 0, 1_000_000, plenty);
      same([page.records, page.lost], [[], 0]);
      holds(page.next <= 1_000_000, "the page does not skip what will be written there");
    },
  },
  {
    name: "reading a partition that does not exist is refused",
    async run(env) {
      const topic = await env.topic(2);
      for (const partition of [2, -1]) {
        await rejects(
          env.engine.topics.read(topic, partition, 0, plenty),
          "TIDINGS_NOT_FOUND",
          "TIDINGS_INVALID_OPTION",
        );
      }
    },
  },
  {
    name: "partitions and topics do not see each other's events",
    async run(env) {
      const [left, right] = [await env.topic(2), await env.topic(2)];
      await publishEach(env, left, numbered(5));
      for (const [topic, partition, count] of [
        [left, 0, 5],
        [left, 1, 0],
        [right, 0, 0],
        [right, 1, 0],
      ] as const) {
        equal((await readAll(env.engine, topic, partition)).length, count);
      }
    },
  },
  {
    name: "the same page read twice is the same",
    async run(env) {
      const topic = await env.topic();
      await publishEach(env, topic, numbered(10));
      const once = await env.engine.topics.read(topic, 0, 3, plenty);
      await publishEach(env, topic, ["later"]);
      const twice = await env.engine.topics.read(topic, 0, 3, { ...plenty, events: once.records.length });
      same(twice.records, once.records);
    },
  },
  {
    name: "a record that was damaged in the store is refused and never served",
    needs: damaging,
    async run(env) {
      const topic = await env.topic();
      const [position] = await publishEach(env, topic, ["x".repeat(100), "sound"]);
      await env.opened.damage?.(topic, 0, given(position));
      // The one that has appended it may have it at hand still.
      const reader = env.opened.second ? await env.second() : env.engine;
      await rejects(reader.topics.read(topic, 0, given(position), plenty), "TIDINGS_RECORD_CORRUPT");
      holds((await env.engine.verify()).problems.length > 0, "verify finds it");
    },
  },
];
