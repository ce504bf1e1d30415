import assert from "node:assert/strict";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";

import { checkNode } from "../../../src/engines/sqlite/binding.ts";
import { parseSqliteUrl, sqlite, type SqliteOptions } from "../../../src/engines/sqlite/index.ts";
import { bearsManyConnections } from "../../../src/engines/sqlite/open.ts";
import { applicationId, migrations, schemaVersion } from "../../../src/engines/sqlite/schema.ts";
import { bindings, child, entry, folder, open, platform, query, readAll, record, rejection } from "./support.ts";

const opening = (options: SqliteOptions) => rejection(sqlite(options).open({ platform }));

for (const { binding, skip } of bindings) {
  describe(`opening a file with ${binding}`, { skip }, () => {
    test("sets what the promises rest on, and reads it back, also on an old file", async (t) => {
      const path = join(folder(t), "shop.db");
      for (let round = 0; round < 2; round++) {
        const engine = await sqlite({ path, binding }).open({ platform });
        const info = await engine.info();
        assert.equal(info["synchronous"], "full");
        assert.equal(info["journal"], "wal");
        assert.equal(info["binding"], binding);
        assert.equal(info["schemaVersion"], schemaVersion);
        await engine.close();
      }
      const [header] = query(
        path,
        "SELECT application_id AS app, user_version AS version FROM pragma_application_id, pragma_user_version",
      );
      assert.deepEqual({ ...header }, { app: applicationId, version: schemaVersion });
    });

    test("keeps what was published", async (t) => {
      const path = join(folder(t), "shop.db");
      const first = await sqlite({ path, binding }).open({ platform });
      await first.topics.declare([{ name: "orders", partitions: 1 }]);
      await first.topics.publish([entry(1), entry(2)]);
      await first.close();
      const second = await open(t, { path, binding });
      assert.deepEqual(
        (await readAll(second)).map(({ id }) => id),
        ["id-1", "id-2"],
      );
    });

    test("says what is wrong with a file that is none of ours, and leaves it as it was", async (t) => {
      const dir = folder(t);
      const text = join(dir, "text.db");
      writeFileSync(text, "This is not a database. ".repeat(400));
      assert.equal((await opening({ path: text, binding })).code, "TIDINGS_NOT_OUR_FILE");
      const short = join(dir, "short.db");
      writeFileSync(short, "hello");
      assert.equal((await opening({ path: short, binding })).code, "TIDINGS_NOT_OUR_FILE");
      const other = join(dir, "other.db");
      query(other, "CREATE TABLE person (name TEXT)");
      const before = readFileSync(other);
      assert.equal((await opening({ path: other, binding })).code, "TIDINGS_NOT_OUR_FILE");
      assert.deepEqual(readFileSync(other), before);
      assert.equal(existsSync(`${other}-wal`), false);
    });

    test("refuses a file of a newer version", async (t) => {
      const path = join(folder(t), "shop.db");
      await (await sqlite({ path, binding }).open({ platform })).close();
      query(path, `PRAGMA user_version = ${schemaVersion + 1}`);
      const error = await opening({ path, binding });
      assert.equal(error.code, "TIDINGS_FILE_TOO_NEW");
      assert.match(error.message, new RegExp(`version ${schemaVersion + 1}`));
    });

    test("takes a file of an older version to the newest, with what is in it", async (t) => {
      const path = join(folder(t), "shop.db");
      const database = new DatabaseSync(path);
      database.exec(`${migrations[0]} PRAGMA application_id = ${applicationId}; PRAGMA user_version = 1;`);
      database.exec(
        "INSERT INTO tidings_topic VALUES ('orders', 1, 5); INSERT INTO tidings_log (topic, partition) VALUES ('orders', 0)",
      );
      database.close();
      const engine = await open(t, { path, binding });
      assert.deepEqual(await engine.topics.list(), [{ name: "orders", partitions: 1 }]);
      await engine.topics.publish([entry(1)]);
      assert.equal(query(path, "SELECT id FROM tidings_event WHERE topic = 'orders'").length, 1);
      assert.equal((await engine.info())["schemaVersion"], schemaVersion);
    });

    test("tells a damaged file from others", async (t) => {
      const path = join(folder(t), "shop.db");
      const engine = await sqlite({ path, binding }).open({ platform });
      await engine.topics.declare([{ name: "orders", partitions: 1 }]);
      await engine.topics.publish(Array.from({ length: 300 }, (_, n) => entry(n)));
      await engine.close();
      const bytes = readFileSync(path);
      bytes.fill(0x5a, 100, 3000); // The schema's page.
      writeFileSync(path, bytes);
      assert.equal((await opening({ path, binding })).code, "TIDINGS_FILE_CORRUPT");
    });
  });
}

describe("a path", () => {
  test("that cannot be used is refused with what to do", async (t) => {
    const dir = folder(t);
    const missing = await opening({ path: join(dir, "no", "such", "shop.db") });
    assert.equal(missing.code, "TIDINGS_PATH_UNUSABLE");
    assert.match(missing.message, /does not exist/);
    assert.equal((await opening({ path: dir })).code, "TIDINGS_PATH_UNUSABLE");
    writeFileSync(join(dir, "file"), "");
    assert.equal((await opening({ path: join(dir, "file", "shop.db") })).code, "TIDINGS_PATH_UNUSABLE");
  });

  test("in a folder that cannot be written is refused, and can still be read", async (t) => {
    const dir = folder(t);
    const path = join(dir, "shop.db");
    const engine = await sqlite({ path }).open({ platform });
    await engine.topics.declare([{ name: "orders", partitions: 2 }]);
    await engine.close();
    const locked = join(dir, "locked");
    mkdirSync(locked);
    copyFileSync(path, join(locked, "shop.db"));
    chmodSync(dir, 0o755);
    chmodSync(locked, 0o555);
    chmodSync(join(locked, "shop.db"), 0o444);
    // Root may write anywhere, so a process of nobody tries.
    const nobody = process.getuid?.() === 0 ? { TIDINGS_TEST_USER: "65534" } : {};
    const tried = child(["open", join(locked, "shop.db")], [], { env: { ...process.env, ...nobody } });
    await tried.ended;
    assert.match(tried.lines.join("\n"), /TIDINGS_READ_ONLY/);
  });

  test("of data in memory is refused with a hint", () => {
    assert.throws(() => sqlite({ path: ":memory:" }), { code: "TIDINGS_INVALID_OPTION", message: /memory:/ });
  });
});

describe("options", () => {
  test("that do not exist are refused with the one that was meant", () => {
    assert.throws(() => sqlite({ path: "a.db", busyTimeout: 5 } as never), {
      code: "TIDINGS_INVALID_OPTION",
      message: /busyTimeoutMs/,
    });
    assert.throws(() => sqlite({ path: "a.db", binding: "sqlite3" as never }), { code: "TIDINGS_INVALID_OPTION" });
    assert.throws(() => sqlite({ path: "a.db", pollMs: -1 }), { code: "TIDINGS_INVALID_OPTION" });
    assert.throws(() => sqlite({ path: "a.db", walBytesMax: 1000 }), { code: "TIDINGS_INVALID_OPTION" });
  });

  test("stand in the address, too", () => {
    assert.deepEqual(parseSqliteUrl("sqlite:shop.db?binding=better-sqlite3&pollMs=5&exclusive=true"), {
      path: "shop.db",
      binding: "better-sqlite3",
      pollMs: 5,
      exclusive: true,
    });
    assert.equal(parseSqliteUrl("sqlite:///var/lib/shop.db").path, "/var/lib/shop.db");
    assert.equal(parseSqliteUrl("sqlite:my%20shop.db").path, "my shop.db");
    assert.throws(() => sqlite(parseSqliteUrl("sqlite:shop.db?bindin=x")), {
      code: "TIDINGS_INVALID_OPTION",
      message: /"binding"/,
    });
    assert.throws(() => parseSqliteUrl("postgres://x"), { code: "TIDINGS_INVALID_OPTION" });
    assert.throws(
      () => parseSqliteUrl("sqlite:a.db?pollMs=often") && sqlite(parseSqliteUrl("sqlite:a.db?pollMs=often")),
      { code: "TIDINGS_INVALID_OPTION" },
    );
  });
});

describe("reading only", () => {
  test("reads beside a writer and refuses to write", async (t) => {
    const path = join(folder(t), "shop.db");
    const writer = await open(t, { path });
    await writer.topics.declare([{ name: "orders", partitions: 1 }]);
    await writer.topics.publish([entry(1)]);
    const reader = await open(t, { path, readOnly: true });
    assert.equal((await readAll(reader)).length, 1);
    assert.equal((await rejection(reader.topics.publish([entry(2)]))).code, "TIDINGS_READ_ONLY");
    assert.equal((await rejection(reader.transact({ documents: [] }))).code, "TIDINGS_READ_ONLY");
    assert.deepEqual((await reader.verify()).problems, []);
    await writer.topics.publish([entry(2)]);
    assert.equal((await readAll(reader)).length, 2);
  });

  test("makes no file", async (t) => {
    const path = join(folder(t), "shop.db");
    assert.equal((await opening({ path, readOnly: true })).code, "TIDINGS_NOT_FOUND");
    assert.equal(existsSync(path), false);
  });
});

describe("one file", () => {
  test("is opened and migrated by many processes at once", async (t) => {
    const path = join(folder(t), "shop.db");
    const children = Array.from({ length: 6 }, () => child(["open", path]));
    for (const { ended, lines } of children) assert.equal(await ended, 0, lines.join("\n"));
    const engine = await open(t, { path });
    assert.equal((await engine.topics.list()).length, 1);
    assert.deepEqual((await engine.verify()).problems, []);
  });

  test("is opened through one SQLite library in a process", { skip: bindings[1]?.skip }, async (t) => {
    const path = join(folder(t), "shop.db");
    const engine = await sqlite({ path }).open({ platform });
    const error = await opening({ path, binding: "better-sqlite3" });
    assert.equal(error.code, "TIDINGS_MIXED_SQLITE");
    assert.match(error.message, /node:sqlite.*better-sqlite3/);
    await engine.close();
    await (await sqlite({ path, binding: "better-sqlite3" }).open({ platform })).close();
  });

  test("that is opened exclusively keeps other processes out", async (t) => {
    const path = join(folder(t), "shop.db");
    const engine = await open(t, { path, exclusive: true });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish(Array.from({ length: 2000 }, (_, n) => entry(n)));
    const other = child(["open", path], [], { env: { ...process.env, TIDINGS_TEST_OPTIONS: '{"busyTimeoutMs":200}' } });
    assert.notEqual(await other.ended, 0);
    assert.match(other.lines.join("\n"), /TIDINGS_BUSY/);
    assert.equal((await readAll(engine)).length, 2000);
    assert.equal(await engine.topics.retain("orders", { partitionBytesMax: 1 }), 2000);
    assert.deepEqual((await engine.verify()).problems, []);
    assert.ok(statSync(path).size > 0);
  });

  test("is taken over with a handle that its user opened", async (t) => {
    const path = join(folder(t), "shop.db");
    const handle = new DatabaseSync(path);
    const engine = await sqlite({ path, binding: handle }).open({ platform });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(1)]);
    await engine.close();
    assert.equal(handle.prepare("SELECT count(*) AS n FROM tidings_event").get()?.["n"], 1);
    assert.equal(
      (await opening({ path: join(folder(t), "other.db"), binding: handle })).code,
      "TIDINGS_INVALID_OPTION",
    );
    handle.close();
  });

  test("is taken over with a handle of better-sqlite3, too", { skip: bindings[1]?.skip }, async (t) => {
    const path = join(folder(t), "shop.db");
    const { default: Database } = await import("better-sqlite3");
    const handle = new Database(path);
    const engine = await sqlite({ path, binding: handle }).open({ platform });
    assert.equal((await engine.info())["synchronous"], "full");
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const data = JSON.stringify("x".repeat(50_000));
    for (let n = 0; n < 300; n++) await engine.topics.publish([entry(n, { record: record(n, { data }) })]);
    assert.ok(statSync(`${path}-wal`).size < 10_000_000, "nobody checkpoints");
    assert.deepEqual((await engine.verify()).problems, []);
    await engine.close();
    assert.ok(handle.open);
    handle.close();
  });
});

test("the versions of SQLite that lose commits, and those of Node.js that are too old, are known", () => {
  for (const good of ["3.51.3", "3.50.7", "3.52.0", "3.53.4", "4.0.0"]) assert.ok(bearsManyConnections(good), good);
  for (const bad of ["3.51.2", "3.51.0", "3.50.6", "3.45.1", "3.7.0"]) assert.ok(!bearsManyConnections(bad), bad);
  for (const good of ["22.18.0", "24.0.0", "23.1.0"]) checkNode(good);
  for (const bad of ["20.20.2", "22.17.9", "18.0.0"])
    assert.throws(() => checkNode(bad), { code: "TIDINGS_NODE_TOO_OLD" });
});
