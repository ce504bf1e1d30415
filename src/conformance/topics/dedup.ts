import { equal, given, rejects, same } from "../expect.ts";
import { all, capability, knownWindow, losingAnswers, reopening, secondHandle } from "../needs.ts";
import { checked, entriesOf, entryOf, expectTexts, numbered, publishEach, publishOne, readAll } from "../records.ts";
import type { Case } from "../suite.ts";

const dedup = capability("publishDeduplication");

/** An id that the caller chose makes a publish repeatable. */
export const dedupCases: readonly Case[] = [
  {
    name: "an event published again with its id is not appended again and answered with its position",
    needs: dedup,
    async run(env) {
      const topic = await env.topic();
      const entry = checked(entryOf(env, topic, { id: env.unique("own"), data: "once" }));
      const [first] = await env.engine.topics.publish([entry]);
      await publishEach(env, topic, ["between"]);
      same(await env.engine.topics.publish([entry]), [{ position: given(first).position, duplicate: true }]);
      await expectTexts(env.engine, topic, ["once", "between"]);
    },
  },
  {
    name: "an event whose position nobody asked for is not appended again, whoever asks for it then",
    needs: dedup,
    async run(env) {
      const topic = await env.topic();
      const entry = checked(entryOf(env, topic, { id: env.unique("own"), data: "once" }));
      await publishEach(env, topic, ["before"]);
      await env.engine.topics.publish([entry], { positions: false });
      for (const positions of [false, true]) {
        const [appended] = await env.engine.topics.publish([entry], { positions });
        const { duplicate, position } = given(appended);
        equal(duplicate, true);
        if (position !== -1) equal(position, given((await readAll(env.engine, topic))[1]).position);
      }
      await expectTexts(env.engine, topic, ["before", "once"]);
    },
  },
  {
    name: "an id that comes many times at once is appended once",
    needs: dedup,
    async run(env) {
      const topic = await env.topic();
      const entry = checked(entryOf(env, topic, { data: "once" }));
      const answers = await Promise.all(numbered(20).map(() => env.engine.topics.publish([entry])));
      equal(answers.filter(([answer]) => !given(answer).duplicate).length, 1);
      equal(new Set(answers.map(([answer]) => given(answer).position)).size, 1);
      await expectTexts(env.engine, topic, ["once"]);
    },
  },
  {
    name: "an id that comes twice in one batch is appended once",
    needs: dedup,
    async run(env) {
      const topic = await env.topic();
      const entry = checked(entryOf(env, topic, { data: "once" }));
      const [first, other, second] = await env.engine.topics.publish([
        entry,
        entryOf(env, topic, { data: "other" }),
        entry,
      ]);
      same(second, { position: given(first).position, duplicate: true });
      equal(given(other).duplicate, false);
      await expectTexts(env.engine, topic, ["once", "other"]);
    },
  },
  {
    name: "a batch of which a part is there already appends the rest",
    needs: dedup,
    async run(env) {
      const topic = await env.topic();
      const entries = entriesOf(env, topic, numbered(6)).map(checked);
      await env.engine.topics.publish(entries.slice(0, 3));
      const answers = await env.engine.topics.publish(entries);
      same(
        answers.map(({ duplicate }) => duplicate),
        [true, true, true, false, false, false],
      );
      await expectTexts(env.engine, topic, numbered(6));
    },
  },
  {
    name: "the same id with another payload is refused and nothing of that batch is written",
    needs: dedup,
    async run(env) {
      const topic = await env.topic();
      const id = env.unique("own");
      await env.engine.topics.publish([checked(entryOf(env, topic, { id, data: "one" }))]);
      for (const data of ["two", "", undefined, new TextEncoder().encode("one")]) {
        const batch = [entryOf(env, topic, { data: "beside" }), checked(entryOf(env, topic, { id, data }))];
        await rejects(env.engine.topics.publish(batch), "TIDINGS_ID_CONFLICT");
      }
      await expectTexts(env.engine, topic, ["one"]);
    },
  },
  {
    name: "the same id with another payload in one batch is refused",
    needs: dedup,
    async run(env) {
      const topic = await env.topic();
      const id = env.unique("own");
      const batch = ["one", "two"].map((data) => checked(entryOf(env, topic, { id, data })));
      await rejects(env.engine.topics.publish(batch), "TIDINGS_ID_CONFLICT");
      await expectTexts(env.engine, topic, []);
    },
  },
  {
    name: "the same id from another source is another event",
    needs: dedup,
    async run(env) {
      const topic = await env.topic();
      const id = env.unique("own");
      for (const source of ["/one", "/two", "/two/"]) {
        const [answer] = await env.engine.topics.publish([checked(entryOf(env, topic, { id, source, data: source }))]);
        equal(given(answer).duplicate, false);
      }
      await expectTexts(env.engine, topic, ["/one", "/two", "/two/"]);
    },
  },
  {
    name: "ids that are not to be checked are not checked",
    async run(env) {
      const topic = await env.topic();
      const entry = entryOf(env, topic, { data: "twice" });
      await env.engine.topics.publish([entry]);
      await env.engine.topics.publish([entry]);
      await expectTexts(env.engine, topic, ["twice", "twice"]);
    },
  },
  {
    name: "a publish of unknown outcome that is repeated with its ids appends once",
    needs: dedup,
    async run(env) {
      const topic = await env.topic();
      const entries = entriesOf(env, topic, numbered(5)).map(checked);
      const lost = env.engine.topics.publish(entries).catch(() => undefined);
      const answers = await env.engine.topics.publish(entries);
      await lost;
      equal(answers.length, 5);
      await expectTexts(env.engine, topic, numbered(5));
    },
  },
  {
    name: "a publish whose answer was lost says so, and appends once when it is repeated",
    needs: all(dedup, losingAnswers),
    async run(env) {
      const topic = await env.topic();
      const entries = entriesOf(env, topic, numbered(5)).map(checked);
      env.opened.loseNextAnswer?.();
      await rejects(env.engine.topics.publish(entries), "TIDINGS_OUTCOME_UNKNOWN");
      const answers = await env.engine.topics.publish(entries);
      equal(
        answers.every(({ duplicate }) => duplicate),
        true,
      );
      await expectTexts(env.engine, topic, numbered(5));
    },
  },
  {
    name: "a publish cut off by close and repeated with its ids after opening again appends once",
    needs: all(dedup, reopening),
    async run(env) {
      const topic = await env.topic();
      const entries = entriesOf(env, topic, numbered(40)).map(checked);
      const lost = Promise.allSettled(entries.map((entry) => env.engine.topics.publish([entry])));
      const again = await env.reopen();
      await lost;
      for (const entry of entries) await again.topics.publish([entry]);
      await expectTexts(again, topic, numbered(40));
    },
  },
  {
    name: "an id is known at every handle",
    needs: all(dedup, secondHandle),
    async run(env) {
      const topic = await env.topic();
      const second = await env.second();
      const entry = checked(entryOf(env, topic, { data: "once" }));
      const answers = await Promise.all([env.engine.topics.publish([entry]), second.topics.publish([entry])]);
      equal(answers.flat().filter(({ duplicate }) => duplicate).length, 1);
      await expectTexts(second, topic, ["once"]);
    },
  },
  {
    name: "an id is known until the window is over, and again appended after it",
    needs: all(dedup, knownWindow),
    async run(env) {
      const topic = await env.topic();
      const windowMs = given(env.opened.deduplicationWindowMs);
      const entry = checked(entryOf(env, topic, { data: "again" }));
      await env.engine.topics.publish([entry]);
      await env.pass(windowMs * 0.5);
      equal(given((await env.engine.topics.publish([entry]))[0]).duplicate, true);
      await env.pass(windowMs * 2);
      await publishOne(env, topic, "between");
      await env.engine.topics.publish([checked(entryOf(env, topic, { data: "another" }))]);
      equal(given((await env.engine.topics.publish([entry]))[0]).duplicate, false);
      await expectTexts(env.engine, topic, ["again", "between", "another", "again"]);
    },
  },
];
