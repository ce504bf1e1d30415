import { find, put } from "../documents.ts";
import { committed, equal, given, same } from "../expect.ts";
import { reopening, secondHandle } from "../needs.ts";
import { numbered } from "../records.ts";
import type { Case } from "../suite.ts";

/** Reading single documents, and how their versions count. */
export const versionCases: readonly Case[] = [
  {
    name: "a document has version 1 after the first write and one more after each further one",
    async run(env) {
      const collection = env.unique("c");
      for (const version of [1, 2, 3]) {
        await put(env, collection, { k: `v${version}` });
        same(await find(env.state, collection, "k"), { key: "k", version, value: `v${version}` });
      }
    },
  },
  {
    name: "writing the same value counts as a write",
    async run(env) {
      const collection = env.unique("c");
      await put(env, collection, { k: "same" });
      await put(env, collection, { k: "same" });
      equal((await find(env.state, collection, "k"))?.version, 2);
    },
  },
  {
    name: "documents are answered in the order asked, with undefined for those that are not there",
    async run(env) {
      const collection = env.unique("c");
      await put(env, collection, { a: "1", b: "2", c: "3" });
      const found = await env.state.get(collection, ["c", "none", "a", "c", "b"]);
      same(
        found.map((document) => document?.value),
        ["3", undefined, "1", "3", "2"],
      );
      same(await env.state.get(collection, []), []);
    },
  },
  {
    name: "a thousand documents are asked for at once",
    async run(env) {
      const collection = env.unique("c");
      await put(env, collection, Object.fromEntries(numbered(1000, "k").map((key) => [key, `value of ${key}`])));
      const keys = numbered(2000, "k");
      const found = await env.state.get(collection, keys);
      same(
        found.map((document) => document?.value),
        keys.map((key, i) => (i < 1000 ? `value of ${key}` : undefined)),
      );
    },
  },
  {
    name: "a document that is removed is not there, and may be written anew",
    async run(env) {
      const collection = env.unique("c");
      await put(env, collection, { k: "first" });
      await put(env, collection, { k: null, never: null });
      equal(await find(env.state, collection, "k"), undefined);
      same([await env.state.count(collection), await env.state.scan(collection, { limit: 10 })], [0, []]);
      const checks = [{ collection, key: "k", version: 0 }];
      committed(await env.transact({ checks, documents: [{ collection, key: "k", value: "second" }] }));
      equal(given(await find(env.state, collection, "k")).value, "second");
    },
  },
  {
    name: "collections do not see each other's documents",
    async run(env) {
      const [left, right] = [env.unique("c"), env.unique("c")];
      await put(env, left, { k: "left" });
      await put(env, right, { k: "right" });
      await put(env, right, { k: null });
      equal((await find(env.state, left, "k"))?.value, "left");
      equal(await find(env.state, right, "k"), undefined);
      equal(await env.state.count(`${left}x`), 0);
    },
  },
  {
    name: "what is written at one handle is read at another at once",
    needs: secondHandle,
    async run(env) {
      const collection = env.unique("c");
      const second = await env.second();
      for (const value of numbered(5)) {
        await put(env, collection, { k: value });
        equal(given(await second.state?.get(collection, ["k"]))[0]?.value, value);
      }
    },
  },
  {
    name: "documents and their versions are kept when the engine is opened anew",
    needs: reopening,
    async run(env) {
      const collection = env.unique("c");
      await put(env, collection, { k: "1", gone: "1" });
      await put(env, collection, { k: "2", gone: null });
      const again = await env.reopen();
      same(given(await again.state?.get(collection, ["k", "gone"])), [{ key: "k", version: 2, value: "2" }, undefined]);
    },
  },
];
