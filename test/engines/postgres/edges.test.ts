import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";

import { serviceUrl } from "../../../scripts/services/url.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { client, entry, named, numbers, open, record, rejection, schema, until, withoutPostgres } from "./support.ts";

describe("a Postgres store", { skip: withoutPostgres }, () => {
  it("knows an id with half of a surrogate pair again, and does not take another one for it", async (t) => {
    const engine = await open(t, { schema: await schema(t) });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const ids = ["a\ud800", "a\ud801", "a\ufffd"];
    for (const duplicate of [false, true])
      for (const [position, id] of ids.entries()) {
        const appended = await engine.topics.publish([entry(1, { checkId: true, record: record(1, { id }) })]);
        assert.deepEqual(appended, [{ position, duplicate }]);
      }
  });

  it("has rows that no look explains: it says so after its time, and others go on", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { schema: name, busyTimeoutMs: 300 });
    const admin = await client(t);
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    // What is found on writing and never on looking, whatever the reason.
    await admin.query(`CREATE FUNCTION "${name}".no() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION USING ERRCODE = 'TD001'; END $$`);
    await admin.query(`CREATE TRIGGER no BEFORE INSERT ON "${name}".published_id EXECUTE FUNCTION "${name}".no()`);
    const stuck = rejection(engine.topics.publish([entry(1, { checkId: true })]));
    assert.equal((await stuck).code, "TIDINGS_BUSY");
    await engine.topics.publish([entry(2)]);
    assert.deepEqual(await numbers(engine), [2]);
  });

  it("gives up SQL of the user that waits for what comes behind it, and goes on", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { schema: name, requestTimeoutMs: 500 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const behind: Promise<unknown>[] = [];
    const sql = async (handle: unknown): Promise<void> => {
      const db = handle as { query(text: string): Promise<unknown> };
      await db.query(`CREATE TABLE "${name}".mine ()`);
      behind.push(engine.topics.publish([entry(2)]));
      await behind[0];
      await db.query("SELECT 1");
    };
    const error = await rejection(engine.transact({ publish: [entry(1)], sql: [sql] }));
    assert.equal(error.code, "TIDINGS_TRANSACTION_MISUSE");
    await Promise.all(behind);
    assert.deepEqual(await numbers(engine), [2]);
    const { rows } = await (await client(t)).query("SELECT to_regclass($1) AS made", [`"${name}".mine`]);
    assert.deepEqual(rows, [{ made: null }]);
  });

  it("may have a schema with the longest of names, and is joined and heard all the same", async (t) => {
    const name = `t_${randomUUID().replaceAll("-", "")}`.padEnd(63, "x");
    const engine = await open(t, { schema: name, pollMs: 60_000 });
    const other = await open(t, { schema: name });
    const user = await client(t);
    afterwards(t, () => user.query(`DROP SCHEMA "${name}" CASCADE`));
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    let heard = 0;
    engine.topics.watch("orders", () => heard++);
    await until("it listens", async () => {
      await other.topics.publish([entry(1)]);
      return heard > 0;
    });
    await user.query("BEGIN");
    await engine.topics.publishIn?.(user, [entry(2)]);
    await user.query("COMMIT");
  });

  it("calls those who look for themselves once more when it may have called them too early", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { schema: name, notify: false, pollMs: 300 });
    const writer = await client(t);
    let seen: number | undefined;
    engine.state.watch("c", () => void engine.state.count("c").then((count) => (seen = count)));
    await until("it looks", () => seen === 0);
    await writer.query("BEGIN");
    await writer.query(`INSERT INTO "${name}".document VALUES ('c', 'k', 1, 0, '1')`);
    seen = undefined;
    await writer.query(`SELECT nextval('"${name}".writes')`);
    await until("it is called before the commit", () => seen === 0);
    await writer.query("COMMIT");
    await until("it is called after the commit", () => seen === 1, 2000);
  });

  it("leaves no backend that waits for ever for a lease of which the commit hangs", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { url: named(name), schema: name, requestTimeoutMs: 300, busyTimeoutMs: 300 });
    const admin = await client(t);
    const [lease] = await engine.leases.acquire([{ name: "l", owner: "o", ttlMs: 60_000 }]);
    assert.ok(lease);
    const hanging = await client(t);
    await hanging.query("BEGIN");
    await hanging.query(`SELECT 1 FROM "${name}".lease FOR SHARE`);
    await rejection(engine.leases.renew([lease], 60_000));
    const waiting = async (): Promise<boolean> =>
      (await admin.query("SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'", [name])).rowCount !== 0; // prettier-ignore
    assert.ok(await waiting());
    await until("nobody waits", async () => !(await waiting()), 8000);
    await hanging.query("ROLLBACK");
  });

  it("is not made in a database that has no place for most characters", async (t) => {
    const name = `t_${randomUUID().replaceAll("-", "")}`;
    const admin = await client(t);
    await admin.query(`CREATE DATABASE ${name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`);
    afterwards(t, () => admin.query(`DROP DATABASE ${name} WITH (FORCE)`));
    const url = new URL(serviceUrl("postgres"));
    url.pathname = name;
    const error = await rejection(open(t, { url: url.href }));
    assert.equal(error.code, "TIDINGS_SERVER_UNSAFE");
    assert.match(error.message, /LATIN1/);
  });
});
