import { given, holds, same, equal } from "../expect.ts";
import { capability } from "../needs.ts";
import { entriesOf, entryOf, numbered, publishEach, publishOne, textsOf } from "../records.ts";
import type { Case } from "../suite.ts";

/** Where things stand: bounds, positions by time, lag. */
export const seekCases: readonly Case[] = [
  {
    name: "a topic that holds nothing has empty bounds at 0",
    async run(env) {
      same(await env.engine.topics.bounds(await env.topic(2)), [
        { first: 0, next: 0 },
        { first: 0, next: 0 },
      ]);
    },
  },
  {
    name: "bounds are kept by partition: from the first event to the place of the next one",
    async run(env) {
      const topic = await env.topic(3);
      await env.engine.topics.publish(entriesOf(env, topic, numbered(4), 1));
      const [last] = await env.engine.topics.publish([entryOf(env, topic, {}, 1)]);
      const bounds = await env.engine.topics.bounds(topic);
      same(bounds, [
        { first: 0, next: 0 },
        { first: 0, next: given(last).position + 1 },
        { first: 0, next: 0 },
      ]);
    },
  },
  {
    name: "lag is countable: what lies between a position and the bounds, and how old its first event is",
    async run(env) {
      const topic = await env.topic();
      const positions = await publishEach(env, topic, ["seen"]);
      await env.pass(50);
      const oldestAt = env.platform.clock.now();
      await publishEach(env, topic, numbered(3));
      await env.pass(50);
      const read = given(positions[0]) + 1;
      const [bounds] = await env.engine.topics.bounds(topic);
      equal((await textsOf(env.engine, topic, 0, read)).length, 3);
      holds(given(bounds).next - read >= 3, "the count, or more where positions have gaps");
      const page = await env.engine.topics.read(topic, 0, read, { events: 1, bytes: 1 });
      const age = env.platform.clock.now() - given(page.records[0]).appendedAtMs;
      holds(age >= 50 && age <= env.platform.clock.now() - oldestAt, `the age of the oldest one: ${age} ms`);
    },
  },
  {
    name: "a position is found by time: the first event appended at or after the instant",
    needs: capability("seekByTime"),
    async run(env) {
      const topic = await env.topic();
      const instants: number[] = [];
      const positions: number[] = [];
      for (const text of numbered(6)) {
        await env.pass(20);
        instants.push(env.platform.clock.now());
        positions.push((await publishOne(env, topic, text)).position);
        await env.pass(20);
      }
      for (const [i, instant] of instants.entries()) {
        same(await env.engine.topics.positionsAt(topic, instant), [positions[i]]);
        same(await env.engine.topics.positionsAt(topic, instant - 10), [positions[i]]);
      }
      const page = await env.engine.topics.read(topic, 0, given(positions[3]), { events: 1, bytes: 1 });
      const exactly = given(page.records[0]).appendedAtMs;
      same(await env.engine.topics.positionsAt(topic, exactly), [positions[3]]);
      same(await env.engine.topics.positionsAt(topic, exactly + 1), [positions[4]]);
    },
  },
  {
    name: "before the first event lies the first position, after the last one the next",
    needs: capability("seekByTime"),
    async run(env) {
      const topic = await env.topic(3);
      await env.engine.topics.publish(entriesOf(env, topic, numbered(5), 1));
      const { next } = given((await env.engine.topics.bounds(topic))[1]);
      same(await env.engine.topics.positionsAt(topic, 0), [0, 0, 0]);
      same(await env.engine.topics.positionsAt(topic, env.platform.clock.now() + 1_000_000), [0, next, 0]);
    },
  },
  {
    name: "time is looked for in every partition by itself",
    needs: capability("seekByTime"),
    async run(env) {
      const topic = await env.topic(2);
      await env.engine.topics.publish(entriesOf(env, topic, ["a", "b"], 0));
      await env.engine.topics.publish(entriesOf(env, topic, ["a"], 1));
      await env.pass(50);
      const instant = env.platform.clock.now();
      const [first] = await env.engine.topics.publish([entryOf(env, topic, {}, 0)]);
      const [second] = await env.engine.topics.publish([entryOf(env, topic, {}, 1)]);
      same(await env.engine.topics.positionsAt(topic, instant), [given(first).position, given(second).position]);
    },
  },
  {
    name: "the time that an event tells of does not matter for its position by time",
    needs: capability("seekByTime"),
    async run(env) {
      const topic = await env.topic();
      await env.engine.topics.publish([entryOf(env, topic, { timeMs: 0 })]);
      await env.engine.topics.publish([entryOf(env, topic, { timeMs: 8_640_000_000_000_000 })]);
      same(await env.engine.topics.positionsAt(topic, 1), [0]);
    },
  },
];
