import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, it } from "node:test";

import { flags } from "../../scripts/launch/run.mjs";
import { type Known, knownFrom } from "../../scripts/power-cut/known.ts";
import { fileName } from "../../scripts/power-cut/record.ts";
import { tryImage } from "../../scripts/power-cut/try.ts";
import type { Task } from "../../scripts/power-cut/workload/process.ts";

const folder = mkdtempSync(join(tmpdir(), "tidings-power-cut-test-"));
const whole = join(folder, "whole");
const seed = 1;
let known: Known;
let copies = 0;

/** Does something to a copy of the file and says what is wrong with it then. */
async function damaged(...statements: readonly string[]): Promise<string[]> {
  const copy = join(folder, `copy-${copies++}`);
  cpSync(whole, copy, { recursive: true });
  const database = new DatabaseSync(join(copy, fileName));
  for (const sql of statements) assert.ok(Number(database.prepare(sql).run().changes) > 0, `${sql} changes nothing`);
  database.close();
  const { words, lost, violations } = await tryImage({ folder: copy, known, seed, finish: false });
  assert.equal(words.length, Math.min(20, lost + violations));
  return [...words];
}

const logs = (topic: string): string => `(SELECT id FROM tidings_log WHERE topic = '${topic}')`;
const newest = (topic: string): string => `id = (SELECT max(id) FROM tidings_chunk WHERE log IN ${logs(topic)})`;

describe("the check of an image", () => {
  before(() => {
    mkdirSync(whole);
    const marks = join(folder, "marks");
    const task: Task = { file: join(whole, fileName), marks, seed, by: "ada", orders: 40, inFlight: 4, moves: 8 };
    const program = join(import.meta.dirname, "../../scripts/power-cut/workload/process.ts");
    execFileSync(process.execPath, [...flags, program, JSON.stringify(task)]);
    known = knownFrom([readFileSync(marks, "utf8")]);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("finds nothing wrong with a whole file, also when everything has run to its end", async () => {
    const copy = join(folder, "finished");
    cpSync(whole, copy, { recursive: true });
    const findings = await tryImage({ folder: copy, known, seed, finish: true });
    assert.deepEqual(findings.words, []);
    assert.ok(known.acknowledgedCount >= 56 && known.seen.size >= 80 && known.ran.size >= 40);
  });

  it("finds lost events", async () => {
    const words = await damaged(`DELETE FROM tidings_chunk WHERE ${newest("orders")}`);
    assert.ok(
      words.some((each) => /^lost: the acknowledged event ada-\d+ of orders/.test(each)),
      words.join("\n"),
    );
    assert.ok(
      words.some((each) => /^lost: the event .* that a handler was given/.test(each)),
      words.join("\n"),
    );
  });

  it("finds a delivery of which a part is missing", async () => {
    const effect = await damaged(`DELETE FROM tidings_chunk WHERE ${newest("effects")}`);
    assert.ok(
      effect.some((each) => /^lost: I7: counter\/orders is past ada-\d+, which is neither handled nor held/.test(each)),
      effect.join("\n"),
    );
    const sql = await damaged("DELETE FROM cut_handled WHERE rowid = 1");
    assert.deepEqual(sql.length, 1);
    assert.match(sql[0] ?? "", /is handled, and its SQL did not run/);
    const document = await damaged(
      "DELETE FROM tidings_document WHERE rowid = (SELECT min(rowid) FROM tidings_document WHERE collection = 'state/counter/counts')",
    );
    assert.match(document.join(), /the number of documents of counter is 7, not 8/);
    const once = await damaged("DELETE FROM tidings_document WHERE collection LIKE '$once/%'");
    assert.match(once.join(), /lost: the result that ctx.once remembered/);
  });

  it("finds a move of money of which a part is missing", async () => {
    const timer = await damaged("DELETE FROM tidings_timer WHERE key = 'ada-3'");
    assert.match(timer.join(), /the number of timers is 7, not 8/);
    const account = await damaged("DELETE FROM tidings_document WHERE collection = 'bank' AND key = 'a'");
    assert.match(account.join(), /the number of accounts is 2, not 3/);
    assert.match(account.join(), /lost: version \d+ of the account a, which is at 0/);
  });

  it("finds positions that are lost", async () => {
    const words = await damaged("DELETE FROM tidings_document WHERE collection = '$position' AND key LIKE 'once/%'");
    assert.match(words.join(), /lost: 3 positions of subscriptions/);
    assert.match(words.join(), /which runs at most once, has run/);
  });

  it("finds what nobody has published, and what was removed without being asked for", async () => {
    const early = { ...known, tried: new Map([["orders/ada", 30]]) };
    const copy = join(folder, "early");
    cpSync(whole, copy, { recursive: true });
    const { words } = await tryImage({ folder: copy, known: early, seed, finish: false });
    assert.match(words.join(), /I2: ada-31 is in orders, and nobody published it/);
    const first = `(SELECT min(last) FROM tidings_chunk WHERE log IN ${logs("moves")})`;
    const removed = await damaged(
      `UPDATE tidings_log SET first = ${first} + 1 WHERE topic = 'moves'`,
      `DELETE FROM tidings_chunk WHERE log IN ${logs("moves")} AND last = ${first}`,
    );
    assert.match(removed.join(), /moves\/0 begins at \d+, and nobody asked for the removal/);
  });

  it("finds a file that cannot be opened", async () => {
    const copy = join(folder, "broken");
    mkdirSync(copy);
    cpSync(join(folder, "marks"), join(copy, fileName));
    const { words } = await tryImage({ folder: copy, known, seed, finish: false });
    assert.match(words.join(), /it cannot be used: TIDINGS_NOT_OUR_FILE|it cannot be used: TIDINGS_/);
  });
});
