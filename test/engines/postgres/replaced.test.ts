import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { serviceUrl } from "../../../scripts/services/url.ts";
import { client, entry, numbers, open, rejection, schema, until, withoutPostgres, named } from "./support.ts";

describe("a store that was replaced under a running member", { skip: withoutPostgres }, () => {
  it("stops it for good with what to do, and one that is started again goes on from what is there", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { url: named(name), schema: name });
    const admin = await client(t);
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(1), entry(2)]);
    // As after a restore of a dump: another store in the same place, with less in it.
    await admin.query(`DROP SCHEMA "${name}" CASCADE`);
    const restored = await open(t, { schema: name });
    await restored.topics.declare([{ name: "orders", partitions: 1 }]);
    await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [name]);
    await until("it has noticed", async () => {
      const error = await rejection(engine.topics.publish([entry(3)]));
      return error.code === "TIDINGS_STORE_REPLACED";
    });
    assert.match(engine.trouble() ?? "", /Start the members again/);
    assert.equal(
      (await rejection(engine.topics.read("orders", 0, 0, { events: 1, bytes: 1 }))).code,
      "TIDINGS_STORE_REPLACED",
    );
    assert.deepEqual(await numbers(restored), []);
  });

  it("is found out where the connections stay as well, as behind a pooler: before anything is written, and by those who only read", async (t) => {
    const [name, fake] = [await schema(t), await schema(t)];
    const admin = await client(t);
    await admin.query(`CREATE SCHEMA "${fake}"`);
    await admin.query(`CREATE TABLE "${fake}".timeline AS SELECT '00000001' AS name`);
    await admin.query(
      `CREATE FUNCTION "${fake}".pg_walfile_name(pg_lsn) RETURNS text LANGUAGE sql AS 'SELECT name FROM "${fake}".timeline'`,
    );
    const url = new URL(serviceUrl("postgres"));
    url.searchParams.set("options", `-c search_path=${fake},pg_catalog`);
    const options = { url: url.href, schema: name, notify: false, pollMs: 30 };
    const [writer, reader] = [await open(t, options), await open(t, options)];
    await writer.topics.declare([{ name: "orders", partitions: 1 }]);
    reader.topics.watch("orders", () => undefined);
    await writer.topics.publish([entry(1)]);
    assert.deepEqual(await numbers(reader), [1]);
    await admin.query(`UPDATE "${fake}".timeline SET name = '00000002'`);
    assert.equal((await rejection(writer.topics.publish([entry(2)]))).code, "TIDINGS_STORE_REPLACED");
    assert.equal((await rejection(writer.topics.publish([entry(2)]))).code, "TIDINGS_STORE_REPLACED");
    await until("the reader has noticed", () => /Start the members again/.test(reader.trouble() ?? ""));
    assert.deepEqual(await numbers(await open(t, { schema: name })), [1]);
  });
});
