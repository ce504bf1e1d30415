import type { Engine } from "../../ports/engine.ts";
import { equal, holds, rejects, same } from "../expect.ts";
import { secondHandle } from "../needs.ts";
import { entryOf, expectTexts, numbered, publishOne, textsOf } from "../records.ts";
import type { Case, Env } from "../suite.ts";

/** Creating topics, finding them, and having many. */
export const declareCases: readonly Case[] = [
  {
    name: "declaring a topic again does nothing",
    async run(env) {
      const spec = { name: env.unique(), partitions: 3 };
      await env.engine.topics.declare([spec]);
      await publishOne(env, spec.name, "kept");
      await env.engine.topics.declare([spec]);
      await env.engine.topics.declare([spec, spec]);
      await expectTexts(env.engine, spec.name, ["kept"]);
      same(await env.engine.topics.find(spec.name), spec);
    },
  },
  {
    name: "another number of partitions is refused and nothing of that call is created",
    async run(env) {
      const [fresh, other] = [env.unique(), env.unique()];
      const name = await env.topic(2);
      for (const partitions of [1, 3]) {
        const specs = [
          { name: fresh, partitions: 1 },
          { name, partitions },
          { name: other, partitions: 1 },
        ];
        await rejects(env.engine.topics.declare(specs), "TIDINGS_PARTITIONS_CHANGED");
      }
      same(await env.engine.topics.find(name), { name, partitions: 2 });
      equal(await env.engine.topics.find(fresh), undefined);
      equal(await env.engine.topics.find(other), undefined);
    },
  },
  {
    name: "a number of partitions that cannot be is refused",
    async run(env) {
      for (const partitions of [0, -1, 1.5, Number.NaN, env.capabilities.partitionsMax + 1]) {
        const name = env.unique();
        await rejects(env.engine.topics.declare([{ name, partitions }]), "TIDINGS_INVALID_OPTION");
        equal(await env.engine.topics.find(name), undefined);
      }
    },
  },
  {
    name: "a topic may have as many partitions as the capabilities say",
    async run(env) {
      const partitions = env.capabilities.partitionsMax;
      const name = await env.topic(partitions);
      await env.engine.topics.publish([entryOf(env, name, { data: "last" }, partitions - 1)]);
      same(await textsOf(env.engine, name, partitions - 1), ["last"]);
      same(await textsOf(env.engine, name, 0), []);
      equal((await env.engine.topics.bounds(name)).length, partitions);
    },
  },
  {
    name: "topics are listed in name order",
    async run(env) {
      const prefix = env.unique("list");
      const names = ["b", "B", "a", "10", "9", "_", "-", ".", "a.b", "ab", "Z"].map((name) => `${prefix}.${name}`);
      await env.engine.topics.declare(names.map((name, i) => ({ name, partitions: (i % 3) + 1 })));
      const listed = (await env.engine.topics.list()).filter(({ name }) => name.startsWith(prefix));
      same(
        listed.map(({ name }) => name),
        names.toSorted(),
      );
      holds(
        listed.every(({ name, partitions }) => partitions === (names.indexOf(name) % 3) + 1),
        "with their partitions",
      );
    },
  },
  {
    name: "topics declared at once by several callers are all there",
    run: (env) => declareAtOnce(env, [env.engine]),
  },
  {
    name: "topics declared at several handles at once are seen by all of them",
    needs: secondHandle,
    run: async (env) => declareAtOnce(env, [env.engine, await env.second()]),
  },
  {
    name: "a topic declared at one handle can be published to at another at once",
    needs: secondHandle,
    async run(env) {
      const second = await env.second();
      const name = env.unique();
      equal(await second.topics.find(name), undefined);
      await env.engine.topics.declare([{ name, partitions: 2 }]);
      await publishOne(env, name, "from the second", second);
      await rejects(second.topics.declare([{ name, partitions: 1 }]), "TIDINGS_PARTITIONS_CHANGED");
      await expectTexts(env.engine, name, ["from the second"]);
    },
  },
  {
    name: "a thousand topics are declared in one call",
    async run(env) {
      await declareMany(env, Math.min(1000, env.capabilities.topicsMax), 1000);
    },
  },
  {
    name: "as many topics as the capabilities say, at most 10,000, are declared, written and read",
    async run(env) {
      const names = await declareMany(env, Math.min(10_000, env.capabilities.topicsMax), 500);
      for (let from = 0; from < names.length; from += 500) {
        const some = names.slice(from, from + 500);
        await Promise.all(some.map((name) => publishOne(env, name, name)));
      }
      for (let at = 0; at < names.length; at += 97) same(await textsOf(env.engine, names[at] ?? ""), [names[at]]);
    },
  },
];

async function declareAtOnce(env: Env, engines: readonly Engine[]): Promise<void> {
  const shared = env.unique("shared");
  const names = numbered(20).map((i) => env.unique(i));
  const calls = names.map((name, i) => {
    const engine = engines[i % engines.length] ?? env.engine;
    return engine.topics.declare([
      { name, partitions: 1 },
      { name: shared, partitions: 2 },
    ]);
  });
  await Promise.all(calls);
  for (const engine of engines) {
    for (const name of names) same(await engine.topics.find(name), { name, partitions: 1 });
    same(await engine.topics.find(shared), { name: shared, partitions: 2 });
  }
}

async function declareMany(env: Env, count: number, atOnce: number): Promise<string[]> {
  const prefix = env.unique("many");
  const names = numbered(count, `${prefix}.`);
  for (let from = 0; from < count; from += atOnce) {
    await env.engine.topics.declare(names.slice(from, from + atOnce).map((name) => ({ name, partitions: 1 })));
  }
  const listed = (await env.engine.topics.list()).filter(({ name }) => name.startsWith(prefix));
  same(
    listed.map(({ name }) => name),
    names.toSorted(),
  );
  return names;
}
