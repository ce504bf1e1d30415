import { equal, given, holds, rejects, same } from "../expect.ts";
import {
  entriesOf,
  entryOf,
  expectNothing,
  expectTexts,
  numbered,
  publishEach,
  readAll,
  recordOfBytes,
} from "../records.ts";
import type { Case } from "../suite.ts";

/** What an acknowledgement says, and that a batch is all or nothing. */
export const publishCases: readonly Case[] = [
  {
    name: "the first event of every partition stands at position 0",
    async run(env) {
      const topic = await env.topic(3);
      for (const partition of [2, 0, 1]) {
        const [appended] = await env.engine.topics.publish([entryOf(env, topic, {}, partition)]);
        same(appended, { position: 0, duplicate: false });
      }
    },
  },
  {
    name: "a publish is acknowledged with a position for each entry, rising in the order given",
    async run(env) {
      const topic = await env.topic();
      const appended = await env.engine.topics.publish(entriesOf(env, topic, numbered(100)));
      equal(appended.length, 100);
      const records = await readAll(env.engine, topic);
      same(
        records.map((record) => record.data),
        numbered(100),
      );
      same(
        appended.map(({ position }) => position),
        records.map(({ position }) => position),
      );
      holds(
        appended.every(({ duplicate }) => !duplicate),
        "nothing was a duplicate",
      );
    },
  },
  {
    name: "an event whose position nobody asks for can be read when it is acknowledged",
    async run(env) {
      const topic = await env.topic();
      const page = { events: 10, bytes: 10_000 };
      let position = 0;
      for (const text of numbered(30)) {
        await env.engine.topics.publish(entriesOf(env, topic, [text]), { positions: false });
        const { records, next } = await env.engine.topics.read(topic, 0, position, page);
        same(
          records.map(({ data }) => data),
          [text],
        );
        position = next;
      }
      equal(given((await env.engine.topics.bounds(topic))[0]).next, position);
    },
  },
  {
    name: "events whose positions nobody asks for stand among the others in the order of the calls",
    async run(env) {
      const topic = await env.topic();
      const texts = numbered(90);
      const answers = await Promise.all(
        texts.map((text, n) => env.engine.topics.publish(entriesOf(env, topic, [text]), { positions: n % 30 < 15 })),
      );
      const records = await readAll(env.engine, topic);
      same(
        records.map(({ data }) => data),
        texts,
      );
      for (const [n, [appended]] of answers.entries()) {
        const { position, duplicate } = given(appended);
        equal(duplicate, false);
        if (n % 30 < 15 || position !== -1) equal(position, given(records[n]).position);
      }
    },
  },
  {
    name: "an acknowledged event can be read at once",
    async run(env) {
      const topic = await env.topic();
      for (const text of numbered(20)) {
        const [appended] = await env.engine.topics.publish(entriesOf(env, topic, [text]));
        const { position } = given(appended);
        const page = await env.engine.topics.read(topic, 0, position, { events: 10, bytes: 1000 });
        same(
          page.records.map((record) => [record.position, record.data]),
          [[position, text]],
        );
      }
    },
  },
  {
    name: "one publish may go to several topics and partitions, each in the order given",
    async run(env) {
      const [left, right] = [await env.topic(2), await env.topic()];
      const places = [
        [left, 0],
        [right, 0],
        [left, 1],
        [left, 0],
        [right, 0],
        [left, 1],
      ] as const;
      const entries = places.map(([topic, partition], i) => entryOf(env, topic, { data: String(i) }, partition));
      const appended = await env.engine.topics.publish(entries);
      for (const [topic, partition, texts] of [
        [left, 0, ["0", "3"]],
        [left, 1, ["2", "5"]],
        [right, 0, ["1", "4"]],
      ] as const) {
        const records = await readAll(env.engine, topic, partition);
        same(
          records.map(({ data }) => data),
          texts,
        );
        same(
          records.map(({ position }) => position),
          texts.map((text) => given(appended[Number(text)]).position),
        );
        holds(
          records.every((record) => record.topic === topic && record.partition === partition),
          "a record names its place",
        );
      }
    },
  },
  {
    name: "publishing nothing resolves with nothing",
    async run(env) {
      same(await env.engine.topics.publish([]), []);
    },
  },
  {
    name: "a batch with an entry for an unknown topic is refused whole",
    async run(env) {
      const topic = await env.topic();
      const entries = [...entriesOf(env, topic, ["a", "b"]), entryOf(env, env.unique("unknown"))];
      await rejects(env.engine.topics.publish(entries), "TIDINGS_NOT_FOUND");
      await expectNothing(env.engine, topic);
    },
  },
  {
    name: "a batch with an entry for a partition that does not exist is refused whole",
    async run(env) {
      const topic = await env.topic(2);
      for (const partition of [2, 1000, -1, 0.5]) {
        const entries = [entryOf(env, topic), entryOf(env, topic, {}, partition)];
        await rejects(env.engine.topics.publish(entries), "TIDINGS_NOT_FOUND", "TIDINGS_INVALID_OPTION");
      }
      await expectNothing(env.engine, topic);
    },
  },
  {
    name: "a batch with an event that is too large is refused whole",
    async run(env) {
      const topic = await env.topic();
      const large = { topic, partition: 0, record: recordOfBytes(env, env.capabilities.eventBytesMax + 1) };
      await rejects(
        env.engine.topics.publish([entryOf(env, topic), large, entryOf(env, topic)]),
        "TIDINGS_EVENT_TOO_LARGE",
      );
      await expectNothing(env.engine, topic);
    },
  },
  {
    name: "a refused publish does no harm to its neighbours",
    async run(env) {
      const topic = await env.topic();
      const unknown = env.unique("unknown");
      const before = env.engine.topics.publish(entriesOf(env, topic, ["before"]));
      const refused = rejects(env.engine.topics.publish([entryOf(env, unknown)]), "TIDINGS_NOT_FOUND");
      const after = env.engine.topics.publish(entriesOf(env, topic, ["after"]));
      await Promise.all([before, refused, after]);
      await expectTexts(env.engine, topic, ["before", "after"]);
    },
  },
  {
    name: "what the caller does to an event after publish returned does not change it",
    async run(env) {
      const topic = await env.topic();
      const data = Uint8Array.of(1, 2, 3);
      const attributes: Record<string, string> = { subject: "as it was" };
      const acknowledged = env.engine.topics.publish([entryOf(env, topic, { data, attributes })]);
      await acknowledged;
      data.fill(9);
      attributes["subject"] = "changed";
      const [record] = await readAll(env.engine, topic);
      same(Uint8Array.from(given(record).data as Uint8Array), Uint8Array.of(1, 2, 3));
      same({ ...given(record).attributes }, { subject: "as it was" });
    },
  },
  {
    name: "an event appended alone and one appended in a batch follow each other without a gap in what is read",
    async run(env) {
      const topic = await env.topic();
      await publishEach(env, topic, ["a"]);
      await env.engine.topics.publish(entriesOf(env, topic, ["b", "c"]));
      await publishEach(env, topic, ["d"]);
      await expectTexts(env.engine, topic, ["a", "b", "c", "d"]);
    },
  },
];
