import type { Scan } from "../../ports/state.ts";
import { put } from "../documents.ts";
import { equal, eventually, given, same } from "../expect.ts";
import { secondHandle } from "../needs.ts";
import { numbered } from "../records.ts";
import type { Case, Env } from "../suite.ts";

async function keys(env: Env, collection: string, scan: Partial<Scan> = {}): Promise<string[]> {
  return (await env.state.scan(collection, { limit: 1000, ...scan })).map(({ key }) => key);
}

/** Reading ranges of a collection, and hints that it changed. */
export const scanCases: readonly Case[] = [
  {
    name: "a scan gives documents in key order, whatever the order of the writes",
    async run(env) {
      const collection = env.unique("c");
      const written = ["b", "a", "10", "9", "Z", "ab", "_", "-", "a b", "a.b", "aa", "~", "0"];
      for (const key of written) await put(env, collection, { [key]: `value of ${key}` });
      const documents = await env.state.scan(collection, { limit: 1000 });
      same(
        documents,
        written.toSorted().map((key) => ({ key, version: 1, value: `value of ${key}` })),
      );
    },
  },
  {
    name: "a scan goes on after a key, also one that is not there",
    async run(env) {
      const collection = env.unique("c");
      await put(env, collection, { a: "", b: "", c: "", d: "" });
      same(await keys(env, collection, { after: "b" }), ["c", "d"]);
      same(await keys(env, collection, { after: "bb" }), ["c", "d"]);
      same(await keys(env, collection, { after: "" }), ["a", "b", "c", "d"]);
      same(await keys(env, collection, { after: "d" }), []);
      same(await keys(env, collection, { after: "a", limit: 2 }), ["b", "c"]);
    },
  },
  {
    name: "a prefix is text: % and _ and * and a backslash mean themselves",
    async run(env) {
      const collection = env.unique("c");
      const all = ["%", "%a", "_", "_a", "a", "a%b", "a*b", "a?b", "a[b", "a\\b", "a_b", "aXb", "A"];
      await put(env, collection, Object.fromEntries(all.map((key) => [key, key])));
      for (const prefix of [...all, "", "a%", "a_", "a\\", "[", "none"]) {
        const expected = all.filter((key) => key.startsWith(prefix)).toSorted();
        same(await keys(env, collection, { prefix }), expected, prefix);
        equal(await env.state.count(collection, prefix), expected.length, prefix);
      }
    },
  },
  {
    name: "a prefix may end in the highest characters",
    async run(env) {
      const collection = env.unique("c");
      const all = [
        "a",
        "a\u007f",
        "a\u0080",
        "a\ud7ff",
        "a\uffff",
        "a\uffff\uffff",
        "a\u{10ffff}",
        "a\u{10ffff}b",
        "b",
      ];
      await put(env, collection, Object.fromEntries(all.map((key) => [key, key])));
      for (const prefix of ["a", "a\uffff", "a\u{10ffff}", "a\u007f"]) {
        const expected = all.filter((key) => key.startsWith(prefix)).toSorted();
        same((await keys(env, collection, { prefix })).toSorted(), expected, JSON.stringify(prefix));
        equal(await env.state.count(collection, prefix), expected.length);
      }
    },
  },
  {
    name: "prefix, after and limit work together",
    async run(env) {
      const collection = env.unique("c");
      await put(env, collection, { "a:1": "", "a:2": "", "a:3": "", "b:1": "" });
      same(await keys(env, collection, { prefix: "a:", after: "a:1" }), ["a:2", "a:3"]);
      same(await keys(env, collection, { prefix: "a:", after: "a:1", limit: 1 }), ["a:2"]);
      same(await keys(env, collection, { prefix: "b:", after: "a:1" }), ["b:1"]);
      same(await keys(env, collection, { prefix: "a:", after: "b" }), []);
    },
  },
  {
    name: "10,000 documents are read page by page, each once",
    async run(env) {
      const collection = env.unique("c");
      const all = Array.from({ length: 10_000 }, (_, i) => `k${String(i).padStart(5, "0")}`);
      for (let from = 0; from < all.length; from += 1000) {
        await put(env, collection, Object.fromEntries(all.slice(from, from + 1000).map((key) => [key, `v${key}`])));
      }
      const seen: string[] = [];
      for (let after: string | undefined; ; after = seen.at(-1)) {
        const page = await keys(env, collection, after === undefined ? { limit: 777 } : { limit: 777, after });
        if (page.length === 0) break;
        seen.push(...page);
      }
      same(seen, all);
      equal(await env.state.count(collection), 10_000);
      equal(await env.state.count(collection, "k01"), 1000);
    },
  },
  {
    name: "a listener of a collection is called soon after a write",
    run: (env) => fires(env, env.state),
  },
  {
    name: "a listener of a collection is called soon after a write at another handle",
    needs: secondHandle,
    run: async (env) => fires(env, given((await env.second()).state)),
  },
  {
    name: "a listener of a collection that stopped is called no more",
    async run(env) {
      const collection = env.unique("c");
      let [stopped, listening] = [0, 0];
      env.state.watch(collection, () => void stopped++)();
      const stop = env.state.watch(collection, () => void listening++);
      await eventually(env, "the other listener is called", async () => {
        await put(env, collection, { k: "v" });
        await env.wait(10);
        return listening > 0;
      });
      stop();
      equal(stopped, 0);
    },
  },
];

async function fires(env: Env, listening: Env["state"]): Promise<void> {
  const collection = env.unique("c");
  let called = 0;
  const stop = listening.watch(collection, () => void called++);
  for (const value of numbered(5)) {
    await put(env, collection, { k: value });
    for (let waited = 0; waited < 1000 && called === 0; waited += 5) await env.wait(5);
  }
  stop();
  equal(called > 0, true, "the listener was called");
}
