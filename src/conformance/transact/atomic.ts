import { find, valueOf } from "../documents.ts";
import { committed, equal, given, holds, rejects, same } from "../expect.ts";
import { reopening, secondHandle } from "../needs.ts";
import { entriesOf, entryOf, expectTexts, numbered, publishOne, textsOf } from "../records.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Case, Env } from "../suite.ts";

/** All of a transaction, in its order, or nothing. */
export const atomicCases: readonly Case[] = [
  {
    name: "documents, timers and publishes of one transaction are all there when it resolves",
    async run(env) {
      const [topic, collection, queue] = [await env.topic(), env.unique("c"), env.unique("q")];
      const outcome = committed(
        await env.transact({
          documents: [{ collection, key: "k", value: "v" }],
          timers: [{ queue, key: "k", dueAtMs: 1000, payload: "p" }],
          publish: entriesOf(env, topic, ["a", "b"]),
        }),
      );
      equal(await valueOf(env.state, collection, "k"), "v");
      equal((await env.timers.find(queue, "k"))?.payload, "p");
      await expectTexts(env.engine, topic, ["a", "b"]);
      const records = await env.engine.topics.read(topic, 0, 0, { events: 10, bytes: 1000 });
      same(
        outcome.appended,
        records.records.map(({ position }) => ({ position, duplicate: false })),
      );
    },
  },
  {
    name: "a transaction of nothing commits",
    async run(env) {
      same(await env.transact({}), { committed: true, appended: [] });
      same(await env.transact({ fences: [], checks: [], documents: [], timers: [], publish: [], sql: [] }), {
        committed: true,
        appended: [],
      });
    },
  },
  {
    name: "a transaction with a publish that is refused leaves nothing",
    async run(env) {
      const [topic, collection, queue] = [await env.topic(), env.unique("c"), env.unique("q")];
      const documents = [{ collection, key: "k", value: "v" }];
      const timers = [{ queue, key: "k", dueAtMs: 1000 }];
      const large = { data: "x".repeat(env.capabilities.eventBytesMax) };
      const unknown = [entryOf(env, topic), entryOf(env, env.unique("unknown"))];
      await rejects(env.transact({ documents, timers, publish: unknown }), "TIDINGS_NOT_FOUND");
      await rejects(
        env.transact({ documents, timers, publish: [entryOf(env, topic), entryOf(env, topic, large)] }),
        "TIDINGS_EVENT_TOO_LARGE",
      );
      equal(await find(env.state, collection, "k"), undefined);
      equal(await env.timers.find(queue, "k"), undefined);
      await expectTexts(env.engine, topic, []);
    },
  },
  {
    name: "of several writes to one document in one transaction the last one counts",
    async run(env) {
      const collection = env.unique("c");
      const values = ["1", null, "2", "3"];
      committed(await env.transact({ documents: values.map((value) => ({ collection, key: "k", value })) }));
      equal(await valueOf(env.state, collection, "k"), "3");
      committed(await env.transact({ documents: ["4", null].map((value) => ({ collection, key: "k", value })) }));
      equal(await find(env.state, collection, "k"), undefined);
    },
  },
  {
    name: "transactions and publishes that nobody waits for commit in the order of the calls",
    async run(env) {
      const [topic, collection] = [await env.topic(), env.unique("c")];
      const calls = numbered(120).map((text, i) =>
        i % 2 === 0
          ? publishOne(env, topic, text)
          : env.transact({
              documents: [{ collection, key: "last", value: text }],
              publish: [entryOf(env, topic, { data: text })],
            }),
      );
      await Promise.all(calls);
      await expectTexts(env.engine, topic, numbered(120));
      equal(await valueOf(env.state, collection, "last"), "119");
    },
  },
  {
    name: "a transaction that conflicts does no harm to those before and after it",
    async run(env) {
      const [topic, collection] = [await env.topic(), env.unique("c")];
      const write = (text: string, version?: number): ReturnType<Env["transact"]> =>
        env.transact({
          checks: version === undefined ? [] : [{ collection, key: "none", version }],
          documents: [{ collection, key: text, value: text }],
          publish: [entryOf(env, topic, { data: text })],
        });
      const outcomes = await Promise.all([
        write("a"),
        write("refused", 5),
        write("b"),
        write("refused too", 1),
        write("c", 0),
      ]);
      same(
        outcomes.map((outcome) => outcome.committed),
        [true, false, true, false, true],
      );
      await expectTexts(env.engine, topic, ["a", "b", "c"]);
      same(
        (await env.state.scan(collection, { limit: 10 })).map(({ key }) => key),
        ["a", "b", "c"],
      );
    },
  },
  {
    name: "what one transaction writes becomes visible at once to readers of documents and topics",
    run: (env) => visibleTogether(env, env.engine),
  },
  {
    name: "what one transaction writes becomes visible at once to readers at another handle",
    needs: secondHandle,
    run: async (env) => visibleTogether(env, await env.second()),
  },
  {
    name: "a transaction that need not survive a power cut is atomic and visible as any other",
    async run(env) {
      const [topic, collection] = [await env.topic(), env.unique("c")];
      for (const text of numbered(5)) {
        const publish = [entryOf(env, topic, { data: text })];
        committed(await env.transact({ durable: false, documents: [{ collection, key: "k", value: text }], publish }));
        equal(await valueOf(env.state, collection, "k"), text);
      }
      const refused = await env.transact({
        durable: false,
        checks: [{ collection, key: "k", version: 1 }],
        documents: [{ collection, key: "k", value: "no" }],
      });
      equal(refused.committed, false);
      await expectTexts(env.engine, topic, numbered(5));
    },
  },
  {
    name: "what a transaction wrote is there when the engine is opened anew",
    needs: reopening,
    async run(env) {
      const [topic, collection, queue] = [await env.topic(), env.unique("c"), env.unique("q")];
      const timers = [{ queue, key: "k", dueAtMs: 1000 }];
      for (const [text, durable] of [
        ["a", true],
        ["b", false],
      ] as const) {
        const publish = [entryOf(env, topic, { data: text })];
        committed(
          await env.transact({ durable, documents: [{ collection, key: text, value: text }], timers, publish }),
        );
      }
      const again = await env.reopen();
      await expectTexts(again, topic, ["a", "b"]);
      equal(await valueOf(given(again.state), collection, "b"), "b");
      equal((await again.timers?.find(queue, "k"))?.dueAtMs, 1000);
    },
  },
];

/** Each round writes the same number into two documents and one event. No reader may find one without the others. */
async function visibleTogether(env: Env, reader: Engine): Promise<void> {
  const [topic, collection] = [await env.topic(), env.unique("c")];
  const state = given(reader.state);
  let writing = true;
  const write = async (): Promise<void> => {
    for (const value of numbered(60)) {
      const documents = ["left", "right"].map((key) => ({ collection, key, value }));
      committed(await env.transact({ documents, publish: [entryOf(env, topic, { data: value })] }));
    }
  };
  const look = async (): Promise<void> => {
    while (writing) {
      const texts = await textsOf(reader, topic);
      const [left, right] = await state.get(collection, ["left", "right"]);
      equal(left?.value, right?.value, "both documents are of one transaction");
      const events = await textsOf(reader, topic);
      const count = left ? Number(left.value) + 1 : 0;
      holds(texts.length <= count && count <= events.length, `${texts.length} <= ${count} <= ${events.length}`);
      await env.wait(0);
    }
  };
  await Promise.all([write().finally(() => (writing = false)), look(), look()]);
}
