import { equal, given, holds } from "../expect.ts";
import { entryOf, publishEach, readAll, roundTrip } from "../records.ts";
import type { Case } from "../suite.ts";

const strange = "Grüße, 世界 👩‍👩‍👧 \u{1F9EA} é\u2028\u2029\u0000\n\r\t\"'\\%_;--";

/** Every field apart from the payload comes back as it went in. */
export const fieldCases: readonly Case[] = [
  {
    name: "an event comes back with every field",
    async run(env) {
      await roundTrip(env, {
        id: "order-1",
        source: "https://example.com/shop?a=b#c",
        type: "shop.order.placed",
        timeMs: 1_700_000_000_123,
        key: "customer-7",
        attributes: { subject: "order 1", traceparent: "00-1-2-00" },
        data: '{"total":1}',
      });
    },
  },
  {
    name: "id, source, type, key and attributes hold any characters",
    async run(env) {
      await roundTrip(env, { id: `id ${strange}`, source: `source ${strange}`, type: `type ${strange}` });
      await roundTrip(env, { key: strange, attributes: { subject: strange, other: `${strange}${strange}` } });
    },
  },
  {
    name: "a key of null, an empty key and a key named null are three different things",
    async run(env) {
      for (const key of [null, "", "null", "0", " "]) equal((await roundTrip(env, { key })).key, key);
    },
  },
  {
    name: "no attributes and attributes with empty values are kept apart",
    async run(env) {
      equal((await roundTrip(env, { attributes: undefined })).attributes, undefined);
      await roundTrip(env, { attributes: { subject: "" } });
    },
  },
  {
    name: "attributes may have names that objects know, and there may be many",
    async run(env) {
      const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`attribute${i}`, String(i)]));
      await roundTrip(env, { attributes: { constructor: "c", tostring: "t", hasownproperty: "h", valueof: "" } });
      await roundTrip(env, { attributes: many });
    },
  },
  {
    name: "the time of an event may lie before 1970 and far in the future",
    async run(env) {
      for (const timeMs of [0, -1, -62_135_596_800_000, 253_402_300_799_999, 8_640_000_000_000_000]) {
        await roundTrip(env, { timeMs });
      }
    },
  },
  {
    name: "a key of 10,000 characters comes back",
    async run(env) {
      await roundTrip(env, { key: "é".repeat(10_000) });
    },
  },
  {
    name: "a lone surrogate is refused, kept, or replaced by U+FFFD, and never spoils a neighbour",
    async run(env) {
      const topic = await env.topic();
      const key = "a\ud800b";
      await publishEach(env, topic, ["before"]);
      const refused = await env.engine.topics.publish([entryOf(env, topic, { key, data: key })]).then(
        () => false,
        () => true,
      );
      await publishEach(env, topic, ["after"]);
      const [before, ...rest] = await readAll(env.engine, topic);
      equal(given(before).data, "before");
      equal(given(rest.at(-1)).data, "after");
      equal(rest.length, refused ? 1 : 2);
      if (refused) return;
      holds([key, "a\ufffdb"].includes(String(given(rest[0]).key)), "the key is as it was or with U+FFFD");
      holds([key, "a\ufffdb"].includes(String(given(rest[0]).data)), "the payload is as it was or with U+FFFD");
    },
  },
  {
    name: "an event says when it was appended, by the clock of the engine",
    async run(env) {
      const topic = await env.topic();
      const before = env.platform.clock.now();
      await publishEach(env, topic, ["a", "b"]);
      const after = env.platform.clock.now();
      const [first, second] = await readAll(env.engine, topic);
      const [a, b] = [given(first).appendedAtMs, given(second).appendedAtMs];
      holds(before <= a && a <= b && b <= after, `${before} <= ${a} <= ${b} <= ${after}`);
      holds(Number.isInteger(a), "whole milliseconds");
    },
  },
];
