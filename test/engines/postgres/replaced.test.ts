import assert from "node:assert/strict";
import { describe, it } from "node:test";

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
});
