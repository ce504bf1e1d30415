import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";

import { channelOf, newsOf } from "../../../src/engines/postgres/news.ts";
import { parsePostgresUrl, postgres, postgresFromUrl } from "../../../src/engines/postgres/index.ts";
import { fromColumn, toColumn } from "../../../src/engines/postgres/text.ts";

const url = "postgres://user:secret@localhost:5432/shop";

describe("options of postgres()", () => {
  it("that do not exist are refused with the one that was meant, in the address as well", () => {
    const refused = { code: "TIDINGS_INVALID_OPTION" } as const;
    assert.throws(() => postgres({ url, segmentByte: 1 } as never), { ...refused, message: /segmentBytes/ });
    assert.throws(() => postgresFromUrl(`${url}?shema=x`), { ...refused, message: /schema/ });
    assert.throws(() => postgresFromUrl(`${url}?sslmod=require`), { ...refused, message: /sslmode/ });
  });

  it("of the wrong kind are refused", () => {
    for (const wrong of [{ connectionsMax: 1 }, { pollMs: -1 }, { notify: 1 }, { schema: "Mine" }, { schema: "pg_x" }])
      assert.throws(() => postgres({ url, ...wrong } as never), { code: "TIDINGS_INVALID_OPTION" });
  });

  it("stand in the address beside those of the client", () => {
    const {
      schema,
      pollMs,
      notify,
      url: left,
    } = parsePostgresUrl(`${url}?schema=events&sslmode=require&pollMs=50&notify=false`);
    assert.deepEqual([schema, pollMs, notify, left], ["events", 50, false, `${url}?sslmode=require`]);
  });

  it("never show a password in an error", () => {
    for (const wrong of [
      "postgres://user:secret@:x:1/y",
      "postgres://user:secret@host",
      "postgres:secret",
      "mysql://user:secret@host/x",
    ])
      assert.throws(
        () => postgres({ url: wrong }),
        (error: Error) => !error.message.includes("secret"),
      );
  });
});

describe("the channel of a schema", () => {
  it("has a name that the server takes, whatever the schema is called", () => {
    const [one, other] = ["a", "b"].map((end) => channelOf({ schema: "s".repeat(62) + end }));
    for (const schema of ["events", "s".repeat(55), "s".repeat(56)])
      assert.ok(channelOf({ schema }).length <= 63, channelOf({ schema }));
    assert.notEqual(one, other);
  });

  it("is told no more than the server takes", () => {
    for (const letter of ["a", "é", "€"]) {
      const collections = Array.from({ length: 100 }, (_, n) => letter.repeat(55) + String(n));
      assert.ok(Buffer.byteLength(newsOf("me", [], collections)) < 8000);
    }
  });
});

describe("texts in columns", () => {
  it("hold every character, NUL and halves of pairs too, and come back as they were", () => {
    const unit = fc.constantFrom(
      "a",
      "\0",
      "\u{10FFFF}",
      "0",
      "1",
      "2",
      "d800",
      "é",
      "\ud800",
      "\udfff",
      "\ud83d",
      "\ude00",
    );
    fc.assert(
      fc.property(fc.string({ unit }), (text) => {
        const column = toColumn(text);
        assert.ok(!column.includes("\0"));
        assert.ok(column.isWellFormed());
        assert.equal(fromColumn(column), text);
      }),
    );
  });
});
