import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { forbiddenStatement } from "../../../src/engines/sql/statements.ts";

describe("SQL of users", () => {
  it("may hold in a text whatever it likes, in every way that PostgreSQL writes one", () => {
    for (const sql of [
      "INSERT INTO t VALUES ($$a; commit it$$)",
      "INSERT INTO t VALUES ($q$a; $$; commit it$q$)",
      "INSERT INTO t VALUES (E'it\\'s; commit')",
      "INSERT INTO t VALUES (e'a''\\\\', '; commit')",
      "DO $$ BEGIN PERFORM 1; END $$",
      "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $body$ BEGIN PERFORM 1; END $body$",
      "UPDATE t SET a = $1, b = $2; DELETE FROM t",
    ])
      assert.equal(forbiddenStatement(sql), undefined, sql);
  });

  it("may not begin or end a transaction, wherever it hides that", () => {
    for (const sql of [
      "COMMIT",
      "SELECT E'\\'' ; COMMIT --'",
      "SELECT $$a$$; commit",
      "SELECT $a$; commit $a$; rollback",
      "SELECT 1 /* ; */; ROLLBACK",
      "SELECT somE'a\\'; COMMIT",
    ])
      assert.notEqual(forbiddenStatement(sql), undefined, sql);
  });
});
