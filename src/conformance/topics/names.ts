import { equal, given, rejects, same } from "../expect.ts";
import { everyName } from "../needs.ts";
import { entryOf, publishOne, textsOf } from "../records.ts";
import type { Case } from "../suite.ts";

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Kafka's rule for names: 1 to 249 of letters, digits, dot, underscore and dash, but not "." and "..". */
export const nameCases: readonly Case[] = [
  {
    name: "a name may have every legal character",
    async run(env) {
      const tail = env.unique("");
      for (const name of [`${letters}._-${tail}`, `-a${tail}`, `_${tail}`, `.a${tail}`, `...${tail}`, `0${tail}`]) {
        await env.engine.topics.declare([{ name, partitions: 1 }]);
        await publishOne(env, name, name);
        same(await textsOf(env.engine, name), [name]);
        equal(given(await env.engine.topics.find(name)).name, name);
      }
    },
  },
  {
    name: "a name may have 249 characters",
    needs: everyName,
    async run(env) {
      const name = env.unique("").padEnd(249, "n");
      await env.engine.topics.declare([{ name, partitions: 1 }]);
      await publishOne(env, name, "there");
      same(await textsOf(env.engine, name), ["there"]);
    },
  },
  {
    name: "names that differ in case, or in dot and underscore, are different topics",
    needs: everyName,
    async run(env) {
      const tail = env.unique("");
      const names = [`Case.a${tail}`, `case.a${tail}`, `case_a${tail}`, `case-a${tail}`];
      await env.engine.topics.declare(names.map((name) => ({ name, partitions: 1 })));
      for (const name of names) await publishOne(env, name, name);
      for (const name of names) same(await textsOf(env.engine, name), [name]);
    },
  },
  {
    name: "an illegal name is refused and nothing of that call is created",
    async run(env) {
      const legal = env.unique();
      const illegal = [
        "",
        ".",
        "..",
        "a b",
        "a/b",
        "a:b",
        "ä",
        "a\u0000",
        "a\n",
        "日本",
        "$x",
        "a*",
        "'",
        "n".repeat(250),
      ];
      for (const name of illegal) {
        await rejects(
          env.engine.topics.declare([
            { name: legal, partitions: 1 },
            { name, partitions: 1 },
          ]),
          "TIDINGS_INVALID_NAME",
        );
      }
      equal(await env.engine.topics.find(legal), undefined);
    },
  },
  {
    name: "names that objects know are plain topics",
    async run(env) {
      const names = ["constructor", "__proto__", "toString", "hasOwnProperty"];
      for (const name of names) equal(await env.engine.topics.find(name).then((topic) => topic?.name ?? name), name);
      await env.engine.topics.declare(names.map((name) => ({ name, partitions: 1 })));
      for (const name of names) {
        const { position } = await publishOne(env, name, `in ${name}`);
        const page = await env.engine.topics.read(name, 0, position, { events: 1, bytes: 1000 });
        equal(page.records[0]?.data, `in ${name}`);
      }
    },
  },
  {
    name: "what is asked of an unknown topic is answered with TIDINGS_NOT_FOUND",
    async run(env) {
      const { topics } = env.engine;
      const name = env.unique("unknown");
      equal(await topics.find(name), undefined);
      await rejects(topics.publish([entryOf(env, name)]), "TIDINGS_NOT_FOUND");
      await rejects(topics.read(name, 0, 0, { events: 1, bytes: 1 }), "TIDINGS_NOT_FOUND");
      await rejects(topics.bounds(name), "TIDINGS_NOT_FOUND");
      if (env.capabilities.seekByTime) await rejects(topics.positionsAt(name, 0), "TIDINGS_NOT_FOUND");
      if (env.capabilities.retentionBySize)
        await rejects(topics.retain(name, { partitionBytesMax: 0 }), "TIDINGS_NOT_FOUND");
      equal(await topics.find(name), undefined);
    },
  },
];
