import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { serviceUrl } from "../../../scripts/services/url.ts";
import { client, entry, open, schema, withoutPostgres } from "./support.ts";

describe("commits on Postgres", { skip: withoutPostgres }, () => {
  it("are synced before they are acknowledged, whatever the role's settings say", async (t) => {
    const name = await schema(t);
    const url = new URL(serviceUrl("postgres"));
    url.searchParams.set("options", "-c synchronous_commit=off");
    const engine = await open(t, { url: url.href, schema: name });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    assert.equal((await engine.info())["synchronous_commit"], "off");
    // What each transaction is set to when it writes.
    const admin = await client(t);
    await admin.query(`CREATE TABLE "${name}".seen (what text, setting text);
      CREATE FUNCTION "${name}".see() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO "${name}".seen VALUES (TG_TABLE_NAME, current_setting('synchronous_commit')); RETURN NULL; END $$;
      CREATE TRIGGER see AFTER INSERT ON "${name}".chunk FOR EACH ROW EXECUTE FUNCTION "${name}".see();
      CREATE TRIGGER see AFTER INSERT OR UPDATE ON "${name}".document FOR EACH ROW EXECUTE FUNCTION "${name}".see()`);
    await engine.topics.publish([entry(1)]);
    await engine.transact({ documents: [{ collection: "c", key: "k", value: "1" }] });
    await engine.transact({ documents: [{ collection: "c", key: "k", value: "2" }], durable: false });
    const { rows } = await admin.query(`SELECT what, setting FROM "${name}".seen`);
    assert.deepEqual(
      rows.map(({ what, setting }: { what: string; setting: string }) => `${what.replace(/_\d+$/, "")} ${setting}`),
      ["chunk on", "document on", "document off"],
    );
  });

  it("of many calls are few statements, each of which is one transaction", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { schema: name });
    await engine.topics.declare([{ name: "orders", partitions: 4 }]);
    const before = Number((await engine.info())["commits"]);
    await Promise.all(Array.from({ length: 1000 }, (_, n) => engine.topics.publish([entry(n, { partition: n % 4 })])));
    const commits = Number((await engine.info())["commits"]) - before;
    assert.ok(commits <= 20, `${commits} commits for 1,000 publishes at once`);
  });

  it("can be read with SQL by people", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { schema: name });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const odd = { ...entry(2).record, data: "not json", key: null, attributes: { subject: "s" } };
    await engine.topics.publish([entry(1), entry(2, { record: odd }), entry(3)]);
    const admin = await client(t);
    const { rows } = await admin.query(
      `SELECT topic, partition, position::integer, id, source, type, key, data, attributes FROM "${name}".event ORDER BY position`,
    );
    const shared = { topic: "orders", partition: 0, source: "/test", type: "test.happened" };
    assert.deepEqual(rows, [
      { ...shared, position: 0, id: "id-1", key: "key-1", data: { n: 1 }, attributes: null },
      { ...shared, position: 1, id: "id-2", key: null, data: "not json", attributes: { subject: "s" } },
      { ...shared, position: 2, id: "id-3", key: "key-3", data: { n: 3 }, attributes: null },
    ]);
  });
});
