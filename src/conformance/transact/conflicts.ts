import { find, put, valueOf } from "../documents.ts";
import { committed, conflictOf, equal, given, same } from "../expect.ts";
import { all, capability, port } from "../needs.ts";
import { checked, entryOf, expectTexts, publishOne } from "../records.ts";
import type { Case } from "../suite.ts";

/** Checks of versions and ids, and what a conflict says. */
export const conflictCases: readonly Case[] = [
  {
    name: "a check of the version that is there passes, of any other one it fails and names it",
    async run(env) {
      const collection = env.unique("c");
      await put(env, collection, { k: "1" });
      await put(env, collection, { k: "2" });
      for (const version of [0, 1, 3]) {
        const outcome = await env.transact({
          checks: [{ collection, key: "k", version }],
          documents: [{ collection, key: "k", value: "no" }],
        });
        same(conflictOf(outcome), { kind: "check", index: 0, version: 2 });
      }
      committed(
        await env.transact({
          checks: [{ collection, key: "k", version: 2 }],
          documents: [{ collection, key: "k", value: "3" }],
        }),
      );
      equal(await valueOf(env.state, collection, "k"), "3");
    },
  },
  {
    name: "a check of version 0 passes when there is no such document, and fails when there is one",
    async run(env) {
      const collection = env.unique("c");
      const create = {
        checks: [{ collection, key: "k", version: 0 }],
        documents: [{ collection, key: "k", value: "v" }],
      };
      committed(await env.transact(create));
      same(conflictOf(await env.transact(create)), { kind: "check", index: 0, version: 1 });
      const missing = await env.transact({ checks: [{ collection, key: "none", version: 1 }] });
      same(conflictOf(missing), { kind: "check", index: 0, version: 0 });
    },
  },
  {
    name: "a conflict names the check that failed among many",
    async run(env) {
      const collection = env.unique("c");
      await put(env, collection, { a: "", b: "", c: "", d: "" });
      await put(env, collection, { c: "newer" });
      const checks = ["a", "b", "c", "d"].map((key) => ({ collection, key, version: 1 }));
      same(conflictOf(await env.transact({ checks })), { kind: "check", index: 2, version: 2 });
      committed(await env.transact({ checks: checks.filter(({ key }) => key !== "c") }));
    },
  },
  {
    name: "checks look at what was committed before, not at the writes beside them",
    async run(env) {
      const collection = env.unique("c");
      committed(
        await env.transact({
          checks: [{ collection, key: "k", version: 0 }],
          documents: ["1", "2"].map((value) => ({ collection, key: "k", value })),
        }),
      );
      const version = given(await find(env.state, collection, "k")).version;
      committed(
        await env.transact({
          checks: [{ collection, key: "k", version }],
          documents: [{ collection, key: "k", value: null }],
        }),
      );
      equal(await find(env.state, collection, "k"), undefined);
    },
  },
  {
    name: "a transaction that conflicts leaves no document, no timer and no event",
    async run(env) {
      const [topic, collection, queue] = [await env.topic(), env.unique("c"), env.unique("q")];
      await put(env, collection, { kept: "kept" });
      const outcome = await env.transact({
        checks: [{ collection, key: "kept", version: 9 }],
        documents: [
          { collection, key: "new", value: "" },
          { collection, key: "kept", value: null },
        ],
        timers: [{ queue, key: "k", dueAtMs: 1 }],
        publish: [entryOf(env, topic)],
      });
      equal(outcome.committed, false);
      same(await env.state.scan(collection, { limit: 10 }), [{ key: "kept", version: 1, value: "kept" }]);
      equal(await env.timers.nextDueAt(queue), undefined);
      await expectTexts(env.engine, topic, []);
    },
  },
  {
    name: "an id that is there with another payload is a conflict that names the entry and leaves nothing",
    needs: capability("publishDeduplication"),
    async run(env) {
      const [topic, collection] = [await env.topic(), env.unique("c")];
      const id = env.unique("own");
      await env.engine.topics.publish([checked(entryOf(env, topic, { id, data: "one" }))]);
      const publish = [
        entryOf(env, topic),
        checked(entryOf(env, topic)),
        checked(entryOf(env, topic, { id, data: "two" })),
      ];
      const outcome = await env.transact({ publish, documents: [{ collection, key: "k", value: "v" }] });
      same(conflictOf(outcome), { kind: "id", index: 2 });
      equal(await find(env.state, collection, "k"), undefined);
      await expectTexts(env.engine, topic, ["one"]);
    },
  },
  {
    name: "an id that is there with the same payload is no conflict: it is not appended again",
    needs: capability("publishDeduplication"),
    async run(env) {
      const [topic, collection] = [await env.topic(), env.unique("c")];
      const entry = checked(entryOf(env, topic, { data: "once" }));
      const [first] = await env.engine.topics.publish([entry]);
      await publishOne(env, topic, "between");
      const outcome = committed(
        await env.transact({ publish: [entry], documents: [{ collection, key: "k", value: "v" }] }),
      );
      same(outcome.appended, [{ position: given(first).position, duplicate: true }]);
      equal(await valueOf(env.state, collection, "k"), "v");
      await expectTexts(env.engine, topic, ["once", "between"]);
    },
  },
  {
    name: "a conflict of a fence is told before one of a check",
    needs: all(port("leases")),
    async run(env) {
      const fences = [{ lease: env.unique("never"), token: 1 }];
      const checks = [{ collection: env.unique("c"), key: "k", version: 4 }];
      same(conflictOf(await env.transact({ fences, checks })), { kind: "fence", index: 0 });
    },
  },
];
