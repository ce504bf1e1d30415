import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { serviceUrl } from "../../../scripts/services/url.ts";
import { postgres } from "../../../src/engines/postgres/index.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { client, entry, numbers, open, platform, rejection, schema, withoutPostgres } from "./support.ts";

const opening = (options: Parameters<typeof postgres>[0]) => rejection(postgres(options).open({ platform }));

/** The address of the service with something else in it. */
function address(change: (url: URL) => void): string {
  const url = new URL(serviceUrl("postgres"));
  change(url);
  return url.href;
}

describe("opening a Postgres store", { skip: withoutPostgres }, () => {
  it("makes the schema once, however many members do so at once", async (t) => {
    const name = await schema(t);
    const engines = await Promise.all([1, 2, 3, 4].map(() => open(t, { schema: name })));
    await Promise.all(engines.map((engine) => engine.topics.declare([{ name: "orders", partitions: 2 }])));
    await Promise.all(engines.map((engine, n) => engine.topics.publish([entry(n)])));
    for (const engine of engines)
      assert.deepEqual(
        (await numbers(engine)).toSorted((a, b) => a - b),
        [0, 1, 2, 3],
      );
  });

  it("with a wrong password, or a database that is not there, is refused at once, and says no secret", async () => {
    const wrong = address((url) => (url.password = "not-the-password"));
    const refused = await opening({ url: wrong });
    assert.equal(refused.code, "TIDINGS_ACCESS_DENIED");
    assert.doesNotMatch(refused.message, /not-the-password/);
    const nowhere = await opening({ url: address((url) => (url.pathname = "/no_such_database")) });
    assert.equal(nowhere.code, "TIDINGS_ACCESS_DENIED");
    assert.match(nowhere.message, /no_such_database/);
  });

  it("where nobody listens is refused after its time", async () => {
    const url = address((at) => {
      at.port = "1";
    });
    assert.equal((await opening({ url, busyTimeoutMs: 200 })).code, "TIDINGS_UNREACHABLE");
  });

  it("by a role that may not make the schema is refused with the grant that is missing, and makes nothing", async (t) => {
    const name = await schema(t);
    const admin = await client(t);
    const role = `r_${name}`;
    await admin.query(`CREATE ROLE "${role}" LOGIN PASSWORD 'x'`);
    afterwards(t, () => admin.query(`DROP ROLE IF EXISTS "${role}"`));
    const url = address((at) => {
      at.username = role;
      at.password = "x";
    });
    const refused = await opening({ url, schema: name });
    assert.equal(refused.code, "TIDINGS_ACCESS_DENIED");
    assert.match(refused.message, /GRANT CREATE ON DATABASE/);
    const { rowCount } = await admin.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", [name]);
    assert.equal(rowCount, 0);
  });

  it("by a role that owns nothing but the schema is enough for everything", async (t) => {
    const name = await schema(t);
    const admin = await client(t);
    const role = `r_${name}`;
    await admin.query(`CREATE ROLE "${role}" LOGIN PASSWORD 'x'`);
    await admin.query(`CREATE SCHEMA "${name}" AUTHORIZATION "${role}"`);
    afterwards(t, async () => {
      await admin.query(`DROP SCHEMA IF EXISTS "${name}" CASCADE`);
      await admin.query(`DROP ROLE IF EXISTS "${role}"`);
    });
    const url = address((at) => {
      at.username = role;
      at.password = "x";
    });
    const engine = await postgres({ url, schema: name }).open({ platform });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(1)]);
    assert.deepEqual(await engine.transact?.({ checks: [{ collection: "c", key: "k", version: 7 }] }), {
      committed: false,
      conflict: { kind: "check", index: 0, version: 0 },
    });
    assert.equal(await engine.topics.retain("orders", { appendedBeforeMs: Number.MAX_SAFE_INTEGER }), 1);
    await engine.close();
  });

  it("in a schema of somebody else is refused, and leaves it as it is", async (t) => {
    const name = await schema(t);
    const admin = await client(t);
    await admin.query(`CREATE SCHEMA "${name}"; CREATE TABLE "${name}".theirs (n integer)`);
    assert.equal((await opening({ url: serviceUrl("postgres"), schema: name })).code, "TIDINGS_FOREIGN_SCHEMA");
    await admin.query(`CREATE TABLE "${name}".meta (other integer)`);
    assert.equal((await opening({ url: serviceUrl("postgres"), schema: name })).code, "TIDINGS_FOREIGN_SCHEMA");
    const { rows } = await admin.query("SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = $1 ORDER BY 1", [name]); // prettier-ignore
    assert.deepEqual(
      rows.map(({ relname }: { relname: string }) => relname),
      ["meta", "theirs"],
    );
  });

  it("of a schema that a newer version has made is refused", async (t) => {
    const name = await schema(t);
    await open(t, { schema: name });
    await (await client(t)).query(`UPDATE "${name}".meta SET value = '99' WHERE name = 'schema'`);
    const refused = await opening({ url: serviceUrl("postgres"), schema: name });
    assert.equal(refused.code, "TIDINGS_SCHEMA_TOO_NEW");
    assert.match(refused.message, /99/);
  });

  it("for reading makes nothing, reads what is there and refuses to write", async (t) => {
    const name = await schema(t);
    const url = serviceUrl("postgres");
    assert.equal((await opening({ url, schema: name, readOnly: true })).code, "TIDINGS_NOT_FOUND");
    const writer = await open(t, { schema: name });
    await writer.topics.declare([{ name: "orders", partitions: 1 }]);
    await writer.topics.publish([entry(1)]);
    const reader = await open(t, { schema: name, readOnly: true });
    assert.deepEqual(await numbers(reader), [1]);
    assert.equal((await rejection(reader.topics.publish([entry(2)]))).code, "TIDINGS_READ_ONLY");
  });
});
