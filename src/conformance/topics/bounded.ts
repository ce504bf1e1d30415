import { recordBytes } from "../../event/record.ts";
import { equal, eventually, given, holds, rejects, same } from "../expect.ts";
import { capability } from "../needs.ts";
import { entriesOf, numbered, publishOne, readAll } from "../records.ts";
import type { Case } from "../suite.ts";

const bytesKept = 256 * 1024;

/** What an engine removes by itself of topics that were declared so. */
export const boundedCases: readonly Case[] = [
  {
    name: "a topic with a bound always has the newest events of so many bytes, and loses older ones by itself",
    needs: capability("boundedTopics"),
    async run(env) {
      const topic = env.unique();
      await env.engine.topics.declare([{ name: topic, partitions: 1, bytesKept }]);
      same(await env.engine.topics.find(topic), { name: topic, partitions: 1, bytesKept });
      let count = 0;
      const left = async (): Promise<number> => given((await env.engine.topics.bounds(topic))[0]).first;
      await eventually(env, "the oldest events go", async () => {
        const texts = numbered(50, `${count}-`).map((text) => text.padEnd(20_000));
        await env.engine.topics.publish(entriesOf(env, topic, texts));
        count += texts.length;
        return (await left()) > 0;
      });
      const records = await readAll(env.engine, topic, 0, await left());
      const bytes = records.reduce((sum, record) => sum + recordBytes(record), 0);
      holds(bytes + records.length * 1024 >= bytesKept, `${records.length} events of ${bytes} bytes are left`);
      equal(records.at(-1)?.data, `${count - 50}-49`.padEnd(20_000));
    },
  },
  {
    name: "a bound is refused where the engine removes nothing by itself, and anywhere when it is no number of bytes",
    async run(env) {
      const spec = { name: env.unique(), partitions: 1 };
      const bounded = env.capabilities.boundedTopics;
      for (const wrong of [0, -1, 1.5, Number.NaN])
        await rejects(
          env.engine.topics.declare([{ ...spec, bytesKept: wrong }]),
          bounded ? "TIDINGS_INVALID_OPTION" : "TIDINGS_UNSUPPORTED",
        );
      if (!bounded) await rejects(env.engine.topics.declare([{ ...spec, bytesKept }]), "TIDINGS_UNSUPPORTED");
      equal(await env.engine.topics.find(spec.name), undefined);
      await env.engine.topics.declare([spec]);
      await publishOne(env, spec.name, "kept");
    },
  },
];
