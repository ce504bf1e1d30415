import { put, valueOf } from "../documents.ts";
import { equal, holds } from "../expect.ts";
import type { Case } from "../suite.ts";

/** Values are text that comes back as it went in. */
export const valueCases: readonly Case[] = [
  {
    name: "a value comes back character for character",
    async run(env) {
      const collection = env.unique("c");
      const values = [
        "",
        "{}",
        '{ "a" : 1.0 , "a":2 }',
        "null",
        "0",
        "007",
        "\u0000a\u0000",
        "\r\n\t",
        "'\"\\%_",
        "\u2028",
        "日本 👩‍👩‍👧",
      ];
      for (const value of values) {
        await put(env, collection, { k: value });
        equal(await valueOf(env.state, collection, "k"), value);
      }
    },
  },
  {
    name: "a value of 1 MiB comes back, alone and in a scan",
    async run(env) {
      const collection = env.unique("c");
      const value = "é".repeat(1024 * 512);
      await put(env, collection, { small: "s", zlarge: value });
      holds((await valueOf(env.state, collection, "zlarge")) === value, "the large value came back whole");
      const scanned = await env.state.scan(collection, { limit: 10 });
      holds(scanned[1]?.value === value && scanned[0]?.value === "s", "both came back in a scan");
    },
  },
  {
    name: "keys and collections hold any characters",
    async run(env) {
      const keys = [
        "",
        " ",
        "a/b",
        "a\u0000b",
        "a\u0000",
        "a",
        "A",
        "'",
        '"',
        "%",
        "_",
        "ä",
        "a\u0308",
        "👩‍👩‍👧",
        "\uffff",
        "constructor",
        "__proto__",
      ];
      for (const collection of [env.unique("$c"), env.unique("c '%_\u0000 日本")]) {
        await env.transact({ documents: keys.map((key) => ({ collection, key, value: `value of ${key}` })) });
        for (const key of keys) equal(await valueOf(env.state, collection, key), `value of ${key}`);
        equal(await env.state.count(collection), keys.length);
      }
    },
  },
  {
    name: "a key of 4,000 characters is a key like others",
    async run(env) {
      const collection = env.unique("c");
      const long = "k".repeat(4000);
      await put(env, collection, { [long]: "long", [`${long}x`]: "longer" });
      equal(await valueOf(env.state, collection, long), "long");
      equal(await valueOf(env.state, collection, `${long}x`), "longer");
    },
  },
];
