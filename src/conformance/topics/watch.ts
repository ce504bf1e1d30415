import type { Engine } from "../../ports/engine.ts";
import { equal, eventually, holds } from "../expect.ts";
import { port, secondHandle } from "../needs.ts";
import { entryOf, publishOne } from "../records.ts";
import type { Case, Env } from "../suite.ts";

/** Hints that something may have been written. */
export const watchCases: readonly Case[] = [
  {
    name: "a listener is called soon after a publish",
    run: (env) => fires(env, env.engine, (topic) => publishOne(env, topic, "x")),
  },
  {
    name: "a listener is called soon after a transaction that publishes",
    needs: port("transact"),
    run: (env) => fires(env, env.engine, (topic) => env.transact({ publish: [entryOf(env, topic)] })),
  },
  {
    name: "a listener is called soon after a publish at another handle",
    needs: secondHandle,
    run: async (env) => fires(env, await env.second(), (topic) => publishOne(env, topic, "x")),
  },
  {
    name: "a listener that is told of a partition is told of one that has grown",
    async run(env) {
      const topic = await env.topic(3);
      const heard = new Set<number | undefined>();
      const stop = env.engine.topics.watch(topic, (partition) => void heard.add(partition));
      await settledHints(env, heard);
      await eventually(env, "the listener hears of partition 1", async () => {
        await env.engine.topics.publish([entryOf(env, topic, {}, 1)]);
        await env.wait(10);
        return heard.has(1) || heard.has(undefined);
      });
      await env.wait(100);
      stop();
      for (const partition of heard)
        holds(partition === undefined || partition === 1, `partition ${partition} has not grown`);
    },
  },
  {
    name: "what was published can be read when the listener is called",
    async run(env) {
      const topic = await env.topic();
      let seen = 0;
      const stop = env.engine.topics.watch(topic, () => {
        void env.engine.topics
          .read(topic, 0, 0, { events: 1, bytes: 1 })
          .then(({ records }) => (seen += records.length));
      });
      await eventually(env, "a listener sees the event", async () => {
        if (seen === 0) await publishOne(env, topic, "x");
        await env.wait(20);
        return seen > 0;
      });
      stop();
    },
  },
  {
    name: "every listener of a topic is called, and one that stopped is called no more",
    async run(env) {
      const topic = await env.topic();
      const calls = [0, 0, 0];
      const stops = calls.map((_, i) => env.engine.topics.watch(topic, () => void (calls[i] = (calls[i] ?? 0) + 1)));
      stops[1]?.();
      stops[1]?.();
      await eventually(env, "both listeners are called", async () => {
        await publishOne(env, topic, "x");
        await env.wait(10);
        return (calls[0] ?? 0) > 0 && (calls[2] ?? 0) > 0;
      });
      equal(calls[1], 0);
      for (const stop of stops) stop();
      await env.wait(100);
      const before = [...calls];
      await publishOne(env, topic, "x");
      await env.wait(100);
      equal(calls.join(), before.join());
    },
  },
];

/** What is told of a topic because somebody begins to listen is over. */
async function settledHints(env: Env, heard: Set<number | undefined>): Promise<void> {
  await env.wait(100);
  heard.clear();
}

/** A hint may be lost, so the write is repeated now and then until one comes. */
async function fires(env: Env, listening: Engine, write: (topic: string) => Promise<unknown>): Promise<void> {
  const topic = await env.topic();
  let called = 0;
  const stop = listening.topics.watch(topic, () => void called++);
  for (let tries = 0; tries < 5 && called === 0; tries++) {
    await write(topic);
    for (let waited = 0; waited < 1000 && called === 0; waited += 5) await env.wait(5);
  }
  stop();
  equal(called > 0, true, "the listener was called");
}
