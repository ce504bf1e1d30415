import { recordBytes } from "../../event/record.ts";
import { equal, given, holds, rejects, same } from "../expect.ts";
import { entryOf, expectNothing, fieldsOf, numbered, readAll, recordOf, recordOfBytes } from "../records.ts";
import type { Case, Env } from "../suite.ts";

/** Beyond this a test is about the memory of the machine and no longer about the engine. */
const bytesTriedMax = 64 * 1024 * 1024;

const small = ({ capabilities }: { capabilities: Env["capabilities"] }): string | undefined =>
  capabilities.eventBytesMax > bytesTriedMax ? "the largest event is larger than 64 MiB" : undefined;

/** The largest and the smallest event, and all sizes between them. */
export const limitCases: readonly Case[] = [
  {
    name: "an event of the largest size is accepted and comes back",
    needs: small,
    async run(env) {
      const topic = await env.topic();
      const record = recordOfBytes(env, env.capabilities.eventBytesMax);
      await env.engine.topics.publish([{ topic, partition: 0, record }]);
      const [stored] = await readAll(env.engine, topic);
      holds(given(stored).data === record.data, "the payload came back whole");
    },
  },
  {
    name: "an event one byte larger than the largest is refused and nothing is written",
    needs: small,
    async run(env) {
      const topic = await env.topic();
      const record = recordOfBytes(env, env.capabilities.eventBytesMax + 1);
      await rejects(env.engine.topics.publish([{ topic, partition: 0, record }]), "TIDINGS_EVENT_TOO_LARGE");
      await expectNothing(env.engine, topic);
    },
  },
  {
    name: "the size counts bytes, not characters, of the payload, the key and the attributes",
    needs: small,
    async run(env) {
      const topic = await env.topic();
      const third = "世".repeat(Math.floor(env.capabilities.eventBytesMax / 3));
      const bytes = new Uint8Array(env.capabilities.eventBytesMax);
      for (const fields of [{ data: third }, { key: third }, { attributes: { subject: third } }, { data: bytes }]) {
        const entry = entryOf(env, topic, fields);
        holds(recordBytes(entry.record) > env.capabilities.eventBytesMax, "it is too large");
        await rejects(env.engine.topics.publish([entry]), "TIDINGS_EVENT_TOO_LARGE");
      }
      await expectNothing(env.engine, topic);
    },
  },
  {
    name: "an event of 0 bytes in every field that may be empty is accepted",
    async run(env) {
      const topic = await env.topic();
      await env.engine.topics.publish([entryOf(env, topic, { key: "", data: "", attributes: undefined })]);
      const [stored] = await readAll(env.engine, topic);
      same([given(stored).key, given(stored).data], ["", ""]);
    },
  },
  {
    name: "events of many sizes in one batch come back whole",
    async run(env) {
      const topic = await env.topic();
      const sizes = [0, 1, 100, 255, 256, 1000, 4095, 4096, 4097, 32_767, 65_535, 65_536, 100_000, 500_000];
      const records = sizes.flatMap((size, i) => [
        recordOf(env, { data: "x".repeat(size) }),
        recordOf(env, { data: new Uint8Array(size).fill(i) }),
      ]);
      await env.engine.topics.publish(records.map((record) => ({ topic, partition: 0, record })));
      same((await readAll(env.engine, topic)).map(fieldsOf), records.map(fieldsOf));
    },
  },
  {
    name: "a batch of 5,000 events is one publish",
    async run(env) {
      const topic = await env.topic();
      const appended = await env.engine.topics.publish(numbered(5000).map((data) => entryOf(env, topic, { data })));
      equal(appended.length, 5000);
      const records = await readAll(env.engine, topic);
      same(
        records.map(({ data }) => data),
        numbered(5000),
      );
    },
  },
];
