import type { Engine } from "../../ports/engine.ts";
import { equal, given, holds, rejects, same } from "../expect.ts";
import { port, reopening, secondHandle } from "../needs.ts";
import { acquire } from "../leases/acquire.ts";
import { entriesOf, entryOf, expectTexts, numbered, publishEach, publishOne, textsOf } from "../records.ts";
import type { Case, Env } from "../suite.ts";

/** Closing: what was accepted is settled, then nothing more is. */
export const closeCases: readonly Case[] = [
  {
    name: "publishes that were accepted before close are acknowledged before it resolves",
    async run(env) {
      const topic = await env.topic();
      let settled = 0;
      const calls = numbered(100).map((text) => publishOne(env, topic, text).finally(() => settled++));
      const all = Promise.allSettled(calls);
      await env.engine.close();
      await new Promise<void>((resolve) => env.platform.clock.soon(resolve));
      equal(settled, 100);
      same(new Set((await all).map(({ status }) => status)), new Set(["fulfilled"]));
      await rejects(env.engine.topics.publish([entryOf(env, topic)]), "TIDINGS_CLOSED");
    },
  },
  {
    name: "what was acknowledged while closing is there when the engine is opened anew",
    needs: reopening,
    async run(env) {
      const topic = await env.topic();
      const calls = Promise.allSettled(numbered(100).map((text) => publishOne(env, topic, text)));
      const again = await env.reopen();
      const there = await textsOf(again, topic);
      const acknowledged = (await calls).flatMap(({ status }, i) => (status === "fulfilled" ? [String(i)] : []));
      same(there, acknowledged);
    },
  },
  {
    name: "publishes that go on while the engine closes are acknowledged or refused, and none is lost",
    needs: secondHandle,
    async run(env) {
      const topic = await env.topic();
      const second = await env.second();
      const acknowledged: string[] = [];
      const write = async (writer: string): Promise<void> => {
        // Until it is refused: a fast engine would be through with any number before it closes.
        for (let i = 0; ; i++) {
          await publishOne(env, topic, `${writer}-${i}`);
          acknowledged.push(`${writer}-${i}`);
        }
      };
      const writers = numbered(4, "p").map((writer) => rejects(write(writer), "TIDINGS_CLOSED"));
      await env.wait(20);
      await env.engine.close();
      await Promise.all(writers);
      same(new Set(await textsOf(second, topic)), new Set(acknowledged));
      equal((await textsOf(second, topic)).length, acknowledged.length);
    },
  },
  {
    name: "closing twice is fine, also at once",
    async run(env) {
      await Promise.all([env.engine.close(), env.engine.close()]);
      await env.engine.close();
    },
  },
  {
    name: "after close every call of the topics rejects with TIDINGS_CLOSED",
    async run(env) {
      const topic = await env.topic();
      const { topics } = env.engine;
      await env.engine.close();
      await rejects(topics.publish([entryOf(env, topic)]), "TIDINGS_CLOSED");
      await rejects(topics.read(topic, 0, 0, { events: 1, bytes: 1 }), "TIDINGS_CLOSED");
      await rejects(topics.declare([{ name: topic, partitions: 1 }]), "TIDINGS_CLOSED");
      await rejects(topics.list(), "TIDINGS_CLOSED");
      await rejects(topics.find(topic), "TIDINGS_CLOSED");
      await rejects(topics.bounds(topic), "TIDINGS_CLOSED");
      if (topics.showPositions) await rejects(topics.showPositions("s/t", topic, []), "TIDINGS_CLOSED");
      if (env.capabilities.seekByTime) await rejects(topics.positionsAt(topic, 0), "TIDINGS_CLOSED");
      if (env.capabilities.retentionByAge)
        await rejects(topics.retain(topic, { appendedBeforeMs: 0 }), "TIDINGS_CLOSED");
    },
  },
  {
    name: "after close every call of state, timers, leases and transactions rejects with TIDINGS_CLOSED",
    needs: port("transact"),
    async run(env) {
      const { state, timers, leases } = env.engine;
      await env.engine.close();
      await rejects(env.transact({}), "TIDINGS_CLOSED");
      const calls = [
        state?.get("c", ["k"]),
        state?.scan("c", { limit: 1 }),
        state?.count("c"),
        timers?.due("q", 0, 1),
        timers?.nextDueAt("q"),
        timers?.find("q", "k"),
        timers?.list("q", { limit: 1 }),
        leases && acquire(leases, "l", "a"),
        leases?.renew([], 1),
        leases?.release([]),
        leases?.list(""),
      ];
      for (const call of calls) if (call) await rejects(call, "TIDINGS_CLOSED");
    },
  },
  {
    name: "closing one handle leaves the others at work",
    needs: secondHandle,
    async run(env) {
      const topic = await env.topic();
      const second = await env.second();
      await publishEach(env, topic, ["a"]);
      await env.engine.close();
      await publishOne(env, topic, "b", second);
      await expectTexts(second, topic, ["a", "b"]);
    },
  },
  {
    name: "everything is there when the engine is opened anew",
    needs: reopening,
    async run(env) {
      const topic = await env.topic(2);
      await env.engine.topics.publish(entriesOf(env, topic, numbered(30), 1));
      const before = await allOf(env.engine, env, topic);
      const again = await env.reopen();
      same(await allOf(again, env, topic), before);
      const [appended] = await again.topics.publish([entryOf(env, topic, {}, 1)]);
      equal(given(appended).position, given((before.bounds as { next: number }[])[1]).next);
      holds(again !== env.engine, "it is another engine");
    },
  },
];

async function allOf(engine: Engine, env: Env, topic: string): Promise<Record<string, unknown>> {
  const { topics } = engine;
  return {
    spec: await topics.find(topic),
    bounds: await topics.bounds(topic),
    page: await topics.read(topic, 1, 0, { events: 100, bytes: 1_000_000 }),
    at: env.capabilities.seekByTime && (await topics.positionsAt(topic, env.platform.clock.now() + 60_000)),
  };
}
