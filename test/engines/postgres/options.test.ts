import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";

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

describe("texts in columns", () => {
  it("hold every character, NUL too, and come back as they were", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", "\0", "\u{10FFFF}", "0", "1", "é") }), (text) => {
        const column = toColumn(text);
        assert.ok(!column.includes("\0"));
        assert.equal(fromColumn(column), text);
      }),
    );
  });
});
