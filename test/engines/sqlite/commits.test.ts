import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { describe, test, type TestContext } from "node:test";

import type { SqliteOptions, UserSql } from "../../../src/engines/sqlite/index.ts";
import { forbiddenStatement } from "../../../src/engines/sql/statements.ts";
import type { Outcome } from "../../../src/ports/transaction.ts";
import { bindings, entry, folder, open, platform, readAll, record, rejection, until } from "./support.ts";

async function shop(t: TestContext, options: Partial<SqliteOptions> = {}) {
  const path = join(folder(t), "shop.db");
  const engine = await open(t, { path, ...options });
  await engine.topics.declare([{ name: "orders", partitions: 2 }]);
  const commits = async (): Promise<number> => Number((await engine.info())["commits"]);
  return { path, engine, commits };
}

const sql = (fn: (db: UserSql) => void) => [fn as (handle: unknown) => void];

for (const { binding, skip } of bindings) {
  describe(`group commit with ${binding}`, { skip }, () => {
    test("writes what was called meanwhile with one sync", async (t) => {
      const { engine, commits } = await shop(t, { binding });
      const before = await commits();
      const answers = await Promise.all(Array.from({ length: 500 }, (_, n) => engine.topics.publish([entry(n)])));
      assert.deepEqual(
        answers.map(([appended]) => appended?.position),
        Array.from({ length: 500 }, (_, n) => n),
      );
      assert.ok((await commits()) - before <= 20, `${(await commits()) - before} commits`);
    });

    test("stays small, so that the event loop has its turn", async (t) => {
      const { engine, commits } = await shop(t, { binding, groupEventsMax: 10 });
      const before = await commits();
      await Promise.all(Array.from({ length: 100 }, (_, n) => engine.topics.publish([entry(n)])));
      assert.ok((await commits()) - before >= 10);
      assert.equal((await readAll(engine)).length, 100);
    });

    test("sees what earlier members have done, and answers conflicts without undoing anybody", async (t) => {
      const { engine, commits } = await shop(t, { binding });
      const before = await commits();
      const write = (version: number, value: string): Promise<Outcome> =>
        engine.transact({
          checks: [{ collection: "c", key: "k", version }],
          documents: [{ collection: "c", key: "k", value }],
        });
      const outcomes = await Promise.all([write(0, "a"), write(0, "b"), write(1, "c"), write(1, "d"), write(2, "e")]);
      assert.deepEqual(outcomes.map((outcome) => outcome.committed || outcome.conflict), [
        true, { kind: "check", index: 0, version: 1 }, true, { kind: "check", index: 0, version: 2 }, true,
      ]); // prettier-ignore
      assert.deepEqual(await engine.state.get("c", ["k"]), [{ key: "k", version: 3, value: "e" }]);
      assert.ok((await commits()) - before <= 2);
    });

    test("undoes only the one whose SQL throws", async (t) => {
      const { engine } = await shop(t, { binding });
      await engine.transact({
        sql: sql((db) => db.exec("CREATE TABLE stock (item TEXT PRIMARY KEY, left INTEGER CHECK (left >= 0))")),
      });
      const calls: number[] = [];
      const take = (n: number, left: number): Promise<Outcome> =>
        engine.transact({
          documents: [{ collection: "c", key: `k${n}`, value: "v" }],
          publish: [entry(n)],
          sql: sql((db) => {
            calls.push(n);
            db.prepare("INSERT INTO stock VALUES (?, ?)").run(`item-${n}`, left);
          }),
        });
      const results = await Promise.allSettled([
        take(1, 5),
        take(2, -1),
        take(3, 5),
        engine.topics.publish([entry(4)]),
      ]);
      assert.deepEqual(
        results.map(({ status }) => status),
        ["fulfilled", "rejected", "fulfilled", "fulfilled"],
      );
      assert.deepEqual(calls, [1, 2, 3]);
      assert.deepEqual(
        (await readAll(engine)).map(({ id }) => id),
        ["id-1", "id-3", "id-4"],
      );
      assert.equal(await engine.state.count("c"), 2);
      assert.deepEqual((await engine.verify()).problems, []);
    });

    test("goes on without the one whose SQL takes the transaction down", async (t) => {
      const { engine } = await shop(t, { binding });
      await engine.transact({
        sql: sql((db) => db.exec("CREATE TABLE one (id INTEGER PRIMARY KEY); INSERT INTO one VALUES (1)")),
      });
      const results = await Promise.allSettled([
        engine.topics.publish([entry(1)]),
        engine.transact({ publish: [entry(2)], sql: sql((db) => db.exec("INSERT OR ROLLBACK INTO one VALUES (1)")) }),
        engine.topics.publish([entry(3)]),
      ]);
      assert.deepEqual(
        results.map(({ status }) => status),
        ["fulfilled", "rejected", "fulfilled"],
      );
      assert.deepEqual(
        (await readAll(engine)).map(({ id, position }) => [id, position]),
        [
          ["id-1", 0],
          ["id-3", 1],
        ],
      );
    });

    test("undoes everything and rejects only the guilty one when a write fails in itself", async (t) => {
      const { engine } = await shop(t, { binding });
      const results = await Promise.allSettled([
        engine.topics.publish([entry(1)]),
        engine.transact({
          publish: [entry(2)],
          documents: [
            { collection: "c", key: "k", value: 5n as never },
            { collection: "c", key: null as never, value: "x" },
          ],
        }),
        engine.topics.publish([entry(3)]),
      ]);
      assert.deepEqual(
        results.map(({ status }) => status),
        ["fulfilled", "rejected", "fulfilled"],
      );
      assert.deepEqual(
        (await readAll(engine)).map(({ id, position }) => [id, position]),
        [
          ["id-1", 0],
          ["id-3", 1],
        ],
      );
      assert.equal(await engine.state.count("c"), 0);
    });
  });
}

describe("user SQL", () => {
  const misuses: Record<string, (db: UserSql) => unknown> = {
    commits: (db) => db.exec("COMMIT"),
    "commits behind another statement": (db) => db.exec("SELECT 1; -- fine\n /* so far */ commit"),
    begins: (db) => db.prepare("BEGIN"),
    "rolls back": (db) => db.exec("ROLLBACK"),
    "makes a savepoint": (db) => db.exec("SAVEPOINT mine"),
    "releases ours": (db) => db.exec("RELEASE tidings_user"),
    "sets a pragma": (db) => db.exec("PRAGMA synchronous = OFF"),
    "attaches a file": (db) => db.exec("ATTACH ':memory:' AS other"),
    "answers with a Promise": () => Promise.resolve(),
  };
  for (const [what, fn] of Object.entries(misuses)) {
    test(`that ${what} is refused, and nothing of its transaction stays`, async (t) => {
      const { engine } = await shop(t);
      const error = await rejection(
        engine.transact({
          documents: [{ collection: "c", key: "k", value: "v" }],
          publish: [entry(1)],
          sql: sql(fn),
        }),
      );
      assert.equal(error.code, "TIDINGS_TRANSACTION_MISUSE");
      assert.equal(await engine.state.count("c"), 0);
      assert.equal((await readAll(engine)).length, 0);
      assert.equal((await engine.info())["synchronous"], "full");
      await engine.topics.publish([entry(2)]);
    });
  }

  test("cannot be used when its function has ended", async (t) => {
    const { engine } = await shop(t);
    let kept: UserSql | undefined;
    await engine.transact({ sql: sql((db) => (kept = db)) });
    assert.throws(() => kept?.exec("SELECT 1"), { code: "TIDINGS_TRANSACTION_MISUSE" });
  });

  test("rejects with what the function threw", async (t) => {
    const { engine } = await shop(t);
    const mine = new RangeError("mine");
    assert.equal(await rejection(engine.transact({ sql: sql(() => { throw mine; }) })), mine); // prettier-ignore
  });

  test("is told from texts, names, comments and triggers that look like it", () => {
    for (const fine of [
      "SELECT 'COMMIT'; SELECT \"BEGIN\"; SELECT [END]; SELECT `PRAGMA` -- COMMIT\n /* ROLLBACK; */",
      "INSERT INTO t VALUES ('it''s; COMMIT')",
      "CREATE TRIGGER a AFTER INSERT ON t BEGIN UPDATE t SET x = 1; DELETE FROM t; END; SELECT 1",
      "CREATE TEMP TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; END",
      "SELECT CASE WHEN 1 THEN 2 END",
      "",
    ])
      assert.equal(forbiddenStatement(fine), undefined, fine);
    for (const [bad, word] of [
      ["CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; END; COMMIT", "COMMIT"],
      [";;; end transaction", "END"],
      ["SELECT 1;vacuum", "VACUUM"],
      ["/* */ -- \n Pragma x", "PRAGMA"],
    ] as const)
      assert.equal(forbiddenStatement(bad), word);
  });
});

test("what only needs to survive the process is not synced, and the connection stands at FULL afterwards", async (t) => {
  const { engine } = await shop(t);
  const began = performance.now();
  for (let n = 0; n < 200; n++)
    await engine.transact({ documents: [{ collection: "c", key: "claim", value: `${n}` }], durable: false });
  t.diagnostic(`${((performance.now() - began) / 200).toFixed(3)} ms each`);
  assert.equal((await engine.info())["synchronous"], "full");
  assert.equal((await engine.state.get("c", ["claim"]))[0]?.version, 200);
});

test("a full disk refuses publishes with a code, reading goes on, and publishing resumes when there is space", async (t) => {
  // A limit on the number of pages fails as a full disk does; disk.test.ts has a real one, where it may mount it.
  const path = join(folder(t), "shop.db");
  const handle = new DatabaseSync(path);
  const engine = await open(t, { path, binding: handle });
  await engine.topics.declare([{ name: "orders", partitions: 1 }]);
  await engine.topics.publish([entry(0)]);
  handle.exec("PRAGMA max_page_count = 40");
  const big = { ...record(1), data: JSON.stringify("x".repeat(50_000)) };
  let error: { code?: string } | undefined;
  let published = 1;
  for (let n = 0; n < 20 && !error; n++) {
    await engine.topics.publish([entry(n, { record: big })]).then(
      () => published++,
      (failed) => (error = failed as never),
    );
  }
  assert.equal(error?.code, "TIDINGS_DISK_FULL");
  assert.match(engine.trouble() ?? "", /full/);
  assert.equal((await readAll(engine)).length, published);
  handle.exec("PRAGMA max_page_count = 100000");
  await engine.topics.publish([entry(99, { record: big })]);
  assert.equal(engine.trouble(), undefined);
  assert.equal((await readAll(engine)).length, published + 1);
  assert.deepEqual((await engine.verify()).problems, []);
});

test("the write-ahead log stays under its cap while events come without a pause", async (t) => {
  const cap = 12 * 1024 * 1024;
  const { path, engine } = await shop(t, { checkpointBytes: 1 << 20, walRestartBytes: 4 << 20, walBytesMax: cap });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let largest = 0;
  const data = JSON.stringify({ pad: "x".repeat(1000) });
  let sent = 0;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: 200 }, async () => {
      while (sent < 100_000) {
        await engine.topics.publish([entry(0, { record: record(sent++, { data }) })]);
        if (sent % 500 === 0) largest = Math.max(largest, statSync(`${path}-wal`).size);
      }
    }),
  );
  delay.disable();
  // The file may be larger than what it holds by the group at hand.
  assert.ok(largest <= cap + 4 * 1024 * 1024, `${largest} bytes`);
  const rate = Math.round((sent * 1000) / (performance.now() - began));
  const ms = (nanos: number): string => (nanos / 1e6).toFixed(1);
  t.diagnostic(`${rate} events/s; log at most ${(largest / 1e6).toFixed(1)} MB of ${(cap / 1e6).toFixed(1)}`);
  t.diagnostic(
    `event-loop delay: p50 ${ms(delay.percentile(50))}, p99 ${ms(delay.percentile(99))}, max ${ms(delay.max)} ms`,
  );
});

test("the write-ahead log stays under its cap when documents and user SQL write much", async (t) => {
  const cap = 8 << 20;
  const { path, engine } = await shop(t, { checkpointBytes: 1 << 20, walRestartBytes: 2 << 20, walBytesMax: cap });
  await engine.transact({ sql: sql((db) => db.exec("CREATE TABLE mine (text TEXT)")) });
  const value = JSON.stringify("x".repeat(500_000));
  let largest = 0;
  for (let n = 0; n < 120; n++) {
    if (n % 2 === 0) await engine.transact({ documents: [{ collection: "c", key: `k${n % 10}`, value }] });
    else await engine.transact({ sql: sql((db) => db.prepare("INSERT INTO mine VALUES (?)").run(value)) });
    largest = Math.max(largest, statSync(`${path}-wal`).size);
  }
  assert.ok(largest <= cap + (1 << 20), `${largest} bytes`);
  t.diagnostic(`log at most ${(largest / 1e6).toFixed(1)} MB of ${(cap / 1e6).toFixed(1)}`);
});

test("a reader that stays does not stop publishing at the cap of the log, and is named as the trouble", async (t) => {
  const { path, engine } = await shop(t, { checkpointBytes: 1 << 18, walRestartBytes: 1 << 20, walBytesMax: 2 << 20 });
  await engine.topics.publish([entry(0)]);
  const reader = new DatabaseSync(path);
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM tidings_chunk").get();
  const data = JSON.stringify({ pad: "x".repeat(20_000) });
  for (let n = 0; n < 500; n++) await engine.topics.publish([entry(n, { record: record(n, { data }) })]);
  await until("the trouble is told", () => /write-ahead log/.test(engine.trouble() ?? ""));
  reader.exec("COMMIT");
  reader.close();
  await until("the log is short again", async () => {
    await engine.topics.publish(Array.from({ length: 20 }, (_, n) => entry(n, { record: record(n, { data }) })));
    return engine.trouble() === undefined;
  });
});

test("a file that is deleted while it is open stops the engine instead of taking events that are lost", async (t) => {
  const { path, engine } = await shop(t);
  await engine.topics.publish([entry(0)]);
  const { renameSync } = await import("node:fs");
  renameSync(path, `${path}.moved`);
  await until("the engine stops", async () => {
    const result = await engine.topics.publish([entry(1)]).then(
      () => undefined,
      (error: { code?: string }) => error.code,
    );
    return result === "TIDINGS_DISK_FAILED";
  });
  assert.match(engine.trouble() ?? "", /moved/);
  renameSync(`${path}.moved`, path);
});

test("closing settles what was accepted and refuses the rest", async (t) => {
  const { path, engine } = await shop(t);
  const accepted = Array.from({ length: 2000 }, (_, n) => engine.topics.publish([entry(n)]));
  const closing = engine.close();
  assert.equal((await rejection(engine.topics.publish([entry(1)]))).code, "TIDINGS_CLOSED");
  assert.equal((await rejection(engine.topics.list())).code, "TIDINGS_CLOSED");
  await Promise.all(accepted);
  await closing;
  await engine.close();
  const again = await open(t, { path });
  assert.equal((await readAll(again)).length, 2000);
  assert.equal(platform.clock.now() > 0, true);
});
