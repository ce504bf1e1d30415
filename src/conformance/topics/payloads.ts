import { equal, holds } from "../expect.ts";
import { roundTrip } from "../records.ts";
import type { Case, Env } from "../suite.ts";

async function texts(env: Env, ...list: readonly string[]): Promise<void> {
  for (const data of list) equal((await roundTrip(env, { data })).data, data);
}

/** The payload comes back to the byte: engines do not know that it is JSON. */
export const payloadCases: readonly Case[] = [
  {
    name: "JSON text comes back byte for byte, with its blanks, its order and its repeated names",
    run: (env) => texts(env, '{ "b" : 1,\n\t"a":2 , "b":3 }  ', "\r\n[ 1 , 2 ]", '{"2":0,"1":0}', '{"\\u0061":"\\/"}'),
  },
  {
    name: "numbers in JSON text keep their form",
    run: (env) =>
      texts(env, "1.0", "1e3", "-0", "0.1000", "12345678901234567890", "[1E+2,1.50,-0.0]", "9007199254740993"),
  },
  {
    name: "text that is not JSON comes back",
    run: (env) => texts(env, "{", "hello", "NaN", "undefined", "null", "true", "'x'", "\ufeff{}", "<a>&amp;</a>"),
  },
  {
    name: "text with NUL, line ends, quotes, U+2028 and emoji comes back",
    run: (env) =>
      texts(
        env,
        "\u0000",
        "a\u0000b\u0000",
        "\n",
        "\r\n",
        "'; DROP TABLE x; --",
        '"',
        "\\",
        "\u2028\u2029",
        "👩‍👩‍👧",
        "e\u0301é",
      ),
  },
  {
    name: "text that is a number or looks like bytes stays text",
    run: (env) => texts(env, "0", "007", "1", "-1", "3.14", "x'00'", "AAEC", "data:;base64,AA=="),
  },
  {
    name: "every character of the basic plane comes back",
    async run(env) {
      for (let from = 0; from < 0x1_0000; from += 0x4000) {
        const codes = Array.from({ length: 0x4000 }, (_, i) => from + i).filter(
          (code) => code < 0xd800 || code > 0xdfff,
        );
        await texts(env, codes.map((code) => String.fromCharCode(code)).join(""));
      }
    },
  },
  {
    name: "no payload, empty text and no bytes are kept apart",
    async run(env) {
      equal((await roundTrip(env, { data: undefined })).data, undefined);
      equal((await roundTrip(env, { data: "" })).data, "");
      const { data } = await roundTrip(env, { data: new Uint8Array() });
      holds(data instanceof Uint8Array && data.byteLength === 0, "bytes of length 0");
    },
  },
  {
    name: "bytes of every value come back as bytes",
    async run(env) {
      const data = Uint8Array.from({ length: 512 }, (_, i) => i % 256);
      holds((await roundTrip(env, { data })).data instanceof Uint8Array, "bytes stay bytes");
    },
  },
  {
    name: "bytes that happen to be text stay bytes",
    async run(env) {
      const { data } = await roundTrip(env, { data: new TextEncoder().encode('{"a":1}') });
      holds(data instanceof Uint8Array, "bytes stay bytes");
    },
  },
  {
    name: "bytes that are a window on a larger buffer come back without the rest of it",
    async run(env) {
      const whole = Uint8Array.from({ length: 100 }, (_, i) => i);
      await roundTrip(env, { data: whole.subarray(10, 20) });
    },
  },
];
