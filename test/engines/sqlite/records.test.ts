import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as fc from "fast-check";

import { encodeChunk } from "../../../src/engines/sql/chunk.ts";
import { draftOf } from "../../../src/engines/sql/draft.ts";
import { chunkChecksum, openChunk } from "../../../src/engines/sqlite/chunk.ts";
import { endOf } from "../../../src/engines/sqlite/documents.ts";
import type { EventRecord } from "../../../src/event/record.ts";
import { bindings, entry, folder, open, page, query, readAll, record, rejection } from "./support.ts";

const bytesMax = 16 * 1024 * 1024;

/** Any text, also with lone surrogates, NUL and line feeds. */
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "",
    "\n",
    "\0",
    "\ud800",
    "1,2",
    "[1",
    "]",
    "null",
    "{\n}",
    '{"a":1}',
    "{broken}",
    '"text"',
    "\r\n",
    "é",
    "🚀",
  ),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
);
const anyData = fc.oneof(anyText, fc.json(), fc.constant(undefined), fc.uint8Array());
const anyRecord: fc.Arbitrary<EventRecord> = fc.record({
  id: anyText,
  source: fc.oneof(fc.constant("/shop"), anyText),
  type: fc.oneof(fc.constant("shop.happened"), anyText),
  timeMs: fc.integer({ min: 0, max: 8.64e15 }),
  key: fc.oneof(fc.constant(null), anyText),
  attributes: fc.oneof(fc.constant(undefined), fc.dictionary(fc.string({ minLength: 1 }), anyText)),
  data: anyData,
});

test("a chunk gives back every record byte for byte", () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 20 }), (records) => {
      const drafts = records.map((one) => draftOf({ topic: "t", partition: 3, record: one }, bytesMax));
      const row = { log: 7, last: 100, count: records.length, appended_ms: 5, ...encodeChunk(drafts) };
      const chunk = openChunk({ id: 1, ...row, checksum: chunkChecksum(row) }, { topic: "t", partition: 3 });
      assert.ok(chunk);
      for (const [index, one] of records.entries()) {
        const { topic, partition, position, appendedAtMs, ...read } = chunk.record(index);
        assert.deepEqual(
          { ...read, attributes: read.attributes && { ...read.attributes } },
          { ...one, attributes: one.attributes && { ...one.attributes } },
        );
        assert.deepEqual([topic, partition, position, appendedAtMs], ["t", 3, 101 - records.length + index, 5]);
      }
    }),
    { numRuns: 300 },
  );
});

test("a chunk in which any byte was changed is told from a good one", () => {
  const drafts = [1, 2, 3].map((n) => draftOf(entry(n), bytesMax));
  const row = { id: 1, log: 7, last: 100, count: 3, appended_ms: 5, ...encodeChunk(drafts) };
  const good = { ...row, checksum: chunkChecksum(row) };
  const place = { topic: "t", partition: 0 };
  assert.ok(openChunk(good, place));
  for (const field of ["header", "body"] as const) {
    for (let at = 0; at < good[field].length; at++) {
      const text =
        good[field].slice(0, at) + String.fromCharCode(good[field].charCodeAt(at) ^ 1) + good[field].slice(at + 1);
      assert.equal(openChunk({ ...good, [field]: text }, place), undefined);
    }
  }
  for (const field of ["log", "last", "count", "appended_ms", "checksum"] as const) {
    assert.equal(openChunk({ ...good, [field]: good[field] + 1 }, place), undefined);
  }
});

test("the end of a prefix stands behind all texts that begin with it, and before all others behind them", () => {
  const order = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (prefix, other) => {
      const end = endOf(prefix);
      if (typeof end !== "string") return;
      assert.ok(order(prefix + other, end) < 0);
      if (!other.startsWith(prefix) && order(other, prefix) > 0) assert.ok(order(other, end) >= 0);
    }),
  );
});

for (const { binding, skip } of bindings) {
  describe(`records with ${binding}`, { skip }, () => {
    test("come back as they were, whatever is in them", async (t) => {
      const engine = await open(t, { path: join(folder(t), "shop.db"), binding });
      await engine.topics.declare([{ name: "orders", partitions: 1 }]);
      const records = fc.sample(anyRecord, { numRuns: 500, seed: 5 });
      await engine.topics.publish(records.map((one) => entry(0, { record: one })));
      const read = await readAll(engine);
      for (const [index, one] of records.entries()) {
        assert.deepEqual(read[index]?.data, one.data);
        assert.deepEqual(read[index]?.id, one.id);
        assert.deepEqual(read[index]?.key, one.key);
      }
    });

    test("stay one by one where a large one stands among small ones", async (t) => {
      const path = join(folder(t), "shop.db");
      const engine = await open(t, { path, binding });
      await engine.topics.declare([{ name: "orders", partitions: 1 }]);
      const sizes = [10, 200_000, 10, 30_000, 30_000, 30_000, 10];
      await engine.topics.publish(
        sizes.map((size, n) => entry(n, { record: record(n, { data: JSON.stringify({ pad: "x".repeat(size) }) }) })),
      );
      assert.deepEqual(
        query(path, "SELECT count FROM tidings_chunk ORDER BY id").map(({ count }) => count),
        [1, 1, 3, 2],
      );
      assert.deepEqual(
        (await readAll(engine)).map(({ position }) => position),
        [0, 1, 2, 3, 4, 5, 6],
      );
      const small = await engine.topics.read("orders", 0, 0, { events: 10, bytes: 1 });
      assert.equal(small.records.length, 1);
    });

    test("can be read with any SQLite tool through the view", async (t) => {
      const path = join(folder(t), "shop.db");
      const engine = await open(t, { path, binding });
      await engine.topics.declare([{ name: "orders", partitions: 1 }]);
      await engine.topics.publish([
        entry(1, { record: record(1, { attributes: { correlationid: "c" } }) }),
        entry(2, { record: record(2, { data: "plain\ntext", key: null }) }),
        entry(3, { record: record(3, { data: new Uint8Array([1, 2, 3]), source: "/other" }) }),
        entry(4, { record: record(4, { data: undefined }) }),
      ]);
      await engine.topics.publish([entry(5, { record: record(5, { data: "{broken}" }) })]);
      const rows = query(
        path,
        "SELECT position, id, source, time, key, data, attributes FROM tidings_event WHERE topic = 'orders' ORDER BY position",
      );
      assert.deepEqual(
        rows.map(({ position, id, source, data }) => [position, id, source, data]),
        [
          [0, "id-1", "/test", '{"n":1}'],
          [1, "id-2", "/test", "plain\ntext"],
          [2, "id-3", "/other", "AQID"],
          [3, "id-4", "/test", null],
          [4, "id-5", "/test", null],
        ],
      );
      assert.deepEqual(
        rows.map(({ key }) => key),
        ["key-1", null, "key-3", "key-4", "key-5"],
      );
      assert.equal(rows[0]?.["attributes"], '{"correlationid":"c"}');
      assert.equal(rows[0]?.["time"], new Date(1_750_000_000_001).toISOString());
    });
  });
}

for (const { binding, skip } of bindings)
  describe(`damage with ${binding}`, { skip }, () => {
    async function damaged(t: import("node:test").TestContext, sql: string, ...values: (string | number)[]) {
      const path = join(folder(t), "shop.db");
      const engine = await open(t, { path, binding });
      await engine.topics.declare([{ name: "orders", partitions: 1 }]);
      for (let n = 0; n < 3; n++) await engine.topics.publish([entry(n * 2), entry(n * 2 + 1)]);
      await engine.transact({
        documents: [{ collection: "c", key: "k", value: "value" }],
        timers: [{ queue: "q", key: "k", dueAtMs: 5, payload: "payload" }],
      });
      query(path, sql, ...values);
      return engine;
    }

    test("of one byte of an event is reported with its place, and neither it nor what follows is skipped", async (t) => {
      const engine = await damaged(t, `UPDATE tidings_chunk SET body = replace(body, '"n":3', '"n":4') WHERE last = 3`);
      const before = await engine.topics.read("orders", 0, 0, page);
      assert.deepEqual(
        before.records.map(({ position }) => position),
        [0, 1],
      );
      const error = await rejection(engine.topics.read("orders", 0, before.next, page));
      assert.equal(error.code, "TIDINGS_RECORD_CORRUPT");
      assert.deepEqual(error.details, { topic: "orders", partition: 0, position: 2 });
      assert.equal((await engine.topics.read("orders", 0, 4, page)).records.length, 2);
      const report = await engine.verify();
      assert.deepEqual(
        report.problems.map(({ place }) => place),
        ["orders/0/2"],
      );
    });

    test("of a position is reported", async (t) => {
      const engine = await damaged(t, "UPDATE tidings_chunk SET last = 13 WHERE last = 3");
      assert.equal((await rejection(engine.topics.read("orders", 0, 2, page))).code, "TIDINGS_RECORD_CORRUPT");
      assert.ok((await engine.verify()).problems.length > 0);
    });

    test("that removes events is reported", async (t) => {
      const engine = await damaged(t, "DELETE FROM tidings_chunk WHERE last = 3");
      assert.equal((await engine.topics.read("orders", 0, 0, page)).records.length, 2);
      assert.equal((await rejection(engine.topics.read("orders", 0, 2, page))).code, "TIDINGS_RECORD_CORRUPT");
      assert.match((await engine.verify()).problems[0]?.problem ?? "", /missing/);
    });

    for (const change of [
      "value = 'valve'",
      "version = 2",
      "key = 'j'",
      "checksum = 0",
      "value = cast(value AS BLOB)",
    ]) {
      test(`of a document is reported: ${change}`, async (t) => {
        const engine = await damaged(t, `UPDATE tidings_document SET ${change}`);
        assert.equal((await rejection(engine.state.scan("c", { limit: 9 }))).code, "TIDINGS_RECORD_CORRUPT");
        if (!change.includes("BLOB")) assert.equal((await engine.verify()).problems.length, 1);
      });
    }

    for (const change of ["payload = 'pay'", "due_ms = 4", "key = 'j'"]) {
      test(`of a timer is reported: ${change}`, async (t) => {
        const engine = await damaged(t, `UPDATE tidings_timer SET ${change}`);
        assert.equal((await rejection(engine.timers.due("q", 9, 9))).code, "TIDINGS_RECORD_CORRUPT");
        assert.equal((await engine.verify()).problems.length, 1);
      });
    }

    test("of what refers to what is reported", async (t) => {
      const engine = await damaged(t, "DELETE FROM tidings_topic");
      assert.deepEqual(
        (await engine.verify()).problems.map(({ place }) => place),
        ["orders/0"],
      );
    });
  });

describe("retention", () => {
  test("lets positions go on where they were when it has removed everything", async (t) => {
    const path = join(folder(t), "shop.db");
    const engine = await open(t, { path });
    await engine.topics.declare([{ name: "orders", partitions: 2 }]);
    await engine.topics.publish([entry(1), entry(2), entry(3, { partition: 1 })]);
    const [{ id: newest } = {}] = query(path, "SELECT max(id) AS id FROM tidings_chunk");
    assert.equal(await engine.topics.retain("orders", { partitionBytesMax: 1 }), 3);
    assert.deepEqual(await engine.topics.bounds("orders"), [
      { first: 2, next: 2 },
      { first: 1, next: 1 },
    ]);
    const [appended] = await engine.topics.publish([entry(4)]);
    assert.equal(appended?.position, 2);
    const other = await open(t, { path });
    const [elsewhere] = await other.topics.publish([entry(5, { partition: 1 })]);
    assert.equal(elsewhere?.position, 1);
    assert.ok(query(path, "SELECT min(id) AS id FROM tidings_chunk").every(({ id }) => Number(id) > Number(newest)));
    assert.deepEqual((await engine.verify()).problems, []);
  });

  test("of much is done in steps beside publishing", async (t) => {
    const engine = await open(t, { path: join(folder(t), "shop.db") });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    for (let n = 0; n < 20; n++)
      await engine.topics.publish(Array.from({ length: 1000 }, (_, i) => entry(n * 1000 + i)));
    let published = 0;
    let done = false;
    const publishing = (async () => {
      while (!done) published += (await engine.topics.publish([entry(published)])).length;
    })();
    const removed = await engine.topics.retain("orders", { partitionBytesMax: 100_000, floor: [19_000] });
    done = true;
    await publishing;
    assert.ok(removed > 10_000 && removed <= 19_000, `${removed}`);
    assert.equal((await engine.topics.bounds("orders"))[0]?.first, removed);
    assert.deepEqual((await engine.verify()).problems, []);
    t.diagnostic(`${removed} events removed while ${published} were published`);
  });
});
