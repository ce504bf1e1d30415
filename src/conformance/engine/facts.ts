import { equal, holds, same } from "../expect.ts";
import { port } from "../needs.ts";
import { entryOf, numbered, publishEach, publishOne } from "../records.ts";
import type { Case } from "../suite.ts";

/** What an engine says about itself. */
export const factCases: readonly Case[] = [
  {
    name: "the capabilities are frozen, and agree with the ports that are there",
    async run(env) {
      const { engine, capabilities } = env;
      holds(Object.isFrozen(capabilities), "nobody can change them");
      equal(capabilities.transactions, engine.transact !== undefined);
      equal(capabilities.showsPositions, engine.topics.showPositions !== undefined);
      holds(!capabilities.userSql || capabilities.transactions, "user SQL needs transactions");
      holds(
        capabilities.eventBytesMax > 0 && capabilities.topicsMax > 0 && capabilities.partitionsMax > 0,
        "limits are above 0",
      );
      holds(capabilities.persistent || capabilities.durability !== "disk", "what is on disk persists");
    },
  },
  {
    name: "an engine has a name and an address, and tells facts about itself",
    async run(env) {
      const { name, address } = env.engine;
      holds(/^[a-z0-9-]+$/.test(name) && address.length > 0, `${name} at ${address}`);
      const facts = Object.entries(await env.engine.info());
      holds(facts.length > 0, "at least one fact");
      for (const [fact, value] of facts) holds(["string", "number", "boolean"].includes(typeof value), fact);
    },
  },
  {
    name: "a healthy engine has no trouble, also after it refused something",
    async run(env) {
      equal(env.engine.trouble(), undefined);
      await env.engine.topics.publish([entryOf(env, env.unique("unknown"))]).catch(() => undefined);
      await publishOne(env, await env.topic(), "x");
      equal(env.engine.trouble(), undefined);
    },
  },
  {
    name: "verify reads everything and finds no problem in what was written properly",
    async run(env) {
      await publishEach(env, await env.topic(2), numbered(30));
      let told = 0;
      const report = await env.engine.verify({ onProgress: (checked) => (told = Math.max(told, checked)) });
      same(report.problems, []);
      holds(report.recordsChecked >= 30, `${report.recordsChecked} records were checked`);
      holds(told <= report.recordsChecked, "progress tells no more than was done");
    },
  },
  {
    name: "verify finds no problem after retention, removals and conflicts",
    needs: port("transact"),
    async run(env) {
      const topic = await env.topic();
      const collection = env.unique("c");
      await publishEach(env, topic, numbered(10));
      await env.transact({
        documents: [
          { collection, key: "a", value: "1" },
          { collection, key: "b", value: "1" },
        ],
      });
      await env.transact({
        documents: [{ collection, key: "a", value: null }],
        checks: [{ collection, key: "b", version: 9 }],
      });
      await env.transact({ documents: [{ collection, key: "a", value: null }] });
      if (env.capabilities.retentionBySize) await env.engine.topics.retain(topic, { partitionBytesMax: 0 });
      await publishEach(env, topic, numbered(5));
      same((await env.engine.verify()).problems, []);
    },
  },
];
