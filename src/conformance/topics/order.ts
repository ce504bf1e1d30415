import { equal, holds, same } from "../expect.ts";
import { secondHandle } from "../needs.ts";
import { entriesOf, expectTexts, numbered, publishOne, readAll, textsOf } from "../records.ts";
import type { Env, Case } from "../suite.ts";
import type { Engine } from "../../ports/engine.ts";

/** Call order, and many publishers at once. */
export const orderCases: readonly Case[] = [
  {
    name: "publishes that nobody waits for stand in the order of the calls",
    async run(env) {
      const topic = await env.topic();
      await Promise.all(numbered(300).map((text) => publishOne(env, topic, text)));
      await expectTexts(env.engine, topic, numbered(300));
    },
  },
  {
    name: "call order holds in every partition when calls go to several in turn",
    async run(env) {
      const topic = await env.topic(4);
      const calls = numbered(200).map((text, i) => env.engine.topics.publish(entriesOf(env, topic, [text], i % 4)));
      await Promise.all(calls);
      for (let partition = 0; partition < 4; partition++) {
        same(
          await textsOf(env.engine, topic, partition),
          numbered(200).filter((_, i) => i % 4 === partition),
        );
      }
    },
  },
  {
    name: "call order holds between small and large events",
    async run(env) {
      const topic = await env.topic();
      const texts = numbered(24).map((text, i) => text.padEnd(i % 3 === 0 ? 200_000 : 10, "."));
      await Promise.all(texts.map((text) => publishOne(env, topic, text)));
      await expectTexts(env.engine, topic, texts);
    },
  },
  {
    name: "call order holds over waves that begin while the last one is under way",
    async run(env) {
      const topic = await env.topic();
      const waves: Promise<unknown>[] = [];
      for (const wave of numbered(20, "w")) {
        for (const text of numbered(10, `${wave}-`)) waves.push(publishOne(env, topic, text));
        await env.wait(1);
      }
      await Promise.all(waves);
      await expectTexts(
        env.engine,
        topic,
        numbered(20, "w").flatMap((wave) => numbered(10, `${wave}-`)),
      );
    },
  },
  {
    name: "publishes of one caller are acknowledged in the order of the calls",
    async run(env) {
      const topic = await env.topic();
      const acknowledged: string[] = [];
      await Promise.all(numbered(100).map((text) => publishOne(env, topic, text).then(() => acknowledged.push(text))));
      same(acknowledged, numbered(100));
    },
  },
  {
    name: "publishers at once lose nothing, and each one's events stand in its order",
    run: (env) => manyPublishers(env, [env.engine]),
  },
  {
    name: "publishers at several handles lose nothing, and each one's events stand in its order",
    needs: secondHandle,
    run: async (env) => manyPublishers(env, [env.engine, await env.second()]),
  },
];

async function manyPublishers(env: Env, engines: readonly Engine[]): Promise<void> {
  const topic = await env.topic();
  const writers = numbered(8, "p");
  const acknowledged = new Map<string, number>();
  const write = async (writer: string, engine: Engine): Promise<void> => {
    for (const text of numbered(40, `${writer}-`)) {
      acknowledged.set(text, (await publishOne(env, topic, text, engine)).position);
    }
  };
  await Promise.all(writers.map((writer, i) => write(writer, engines[i % engines.length] ?? env.engine)));
  for (const engine of engines) {
    const records = await readAll(engine, topic);
    equal(records.length, 8 * 40);
    holds(
      records.every((record, i) => i === 0 || record.position > (records[i - 1]?.position ?? 0)),
      "positions rise",
    );
    for (const record of records) equal(acknowledged.get(record.data as string), record.position);
    for (const writer of writers) {
      const own = records.filter((record) => String(record.data).startsWith(`${writer}-`)).map(({ data }) => data);
      same(own, numbered(40, `${writer}-`));
    }
  }
}
